"""`hashcache providers`: who may be asked, what is configured, and what is missing."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from hashcache.cli.world import World, WrongSettings
from hashcache.core.errors import SettingsError
from hashcache.service.survey import survey


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def providers(world: World, *, as_json: bool) -> None:
    """Who analyses what, in which order, at what price; and what each provider still lacks. Asks nobody."""
    try:
        found = survey(world.settings())
    except SettingsError as error:
        raise WrongSettings(str(error)) from None
    if as_json:
        click.echo(json.dumps({"providers": found}))
        return
    console = Console(highlight=False)
    table = Table("provider", "analyses", "asked for", "price", "state", box=None)
    for one in found:
        table.add_row(one["name"], ", ".join(one["kinds"]), _asked(one), _price(one), _state(one))
    console.print(table)
    for one in found:
        for limit in one["limits"]:
            console.print(f"{one['name']} takes {limit}")


def _asked(one: dict[str, Any]) -> str:
    return ", ".join(f"{kind} ({_ordinal(place)})" for kind, place in one["asked_for"].items()) or "nothing"


def _ordinal(place: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(place, f"{place}th")


def _price(one: dict[str, Any]) -> str:
    if one["embedded"]:
        return "free"
    if one["price_usd"] == "0":
        return f"not known: set {one['price_setting']}"
    read = f", published {one['price_read']}" if one["price_read"] else ""
    return f"${one['price_usd']} a {one['unit']}{read}"


def _state(one: dict[str, Any]) -> str:
    if one["configured"]:
        return "ready" if one["asked_for"] else "configured, not asked: name it in HASHCACHE_PROVIDER"
    return f"missing: {', '.join(one['missing'])}"
