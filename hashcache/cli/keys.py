"""`hashcache keys`: keys for callers."""

from __future__ import annotations

import json
import secrets

import click

from hashcache.core.errors import SettingsError
from hashcache.service.callers import DEFAULT_TENANT, Role, new_key


@click.group()
def keys() -> None:
    """Keys for those who call the service."""


@keys.command()
@click.option("--name", default="app", show_default=True, help="Who holds it; shown in the log.")
@click.option(
    "--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose answers; tenants never see each other's."
)
@click.option("--role", type=click.Choice([role.value for role in Role]), default="user", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def new(name: str, tenant: str, role: str, *, as_json: bool) -> None:
    """Make a key. It is shown once; the server keeps only its digest."""
    try:
        key, entry = new_key(name, tenant, Role(role), secrets.token_bytes(32))
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps({"key": key, "entry": entry}))
        return
    click.echo(f"key    {key}")
    click.echo(f"entry  {entry}")
    click.echo(
        "\nGive the key to whoever calls: Authorization: Bearer <key>."
        "\nAdd the entry to HASHCACHE_API_KEYS (entries are separated by commas) and restart the server.",
        err=True,
    )
