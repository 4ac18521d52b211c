"""`hashcache doctor`: whether this set-up will do, and how to mend what will not."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hashcache.cli.world import World, WrongSettings
from hashcache.core.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from hashcache.cli.checks import Check
    from hashcache.ports import StoreFacts, StoreHealth
    from hashcache.settings import Settings

_WIDTH = 12


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def doctor(world: World, *, as_json: bool) -> None:
    """
    Look at settings, store and money as the service would meet them here. Writes nothing and buys nothing.

    Exit code 1 when something is broken; what could be better is a warning.
    """
    from hashcache.cli import checks  # noqa: PLC0415 - the adapters are loaded when they are wanted
    from hashcache.service.survey import survey  # noqa: PLC0415 - as above

    settings = world.settings()
    try:
        found = [*survey(settings)]
        health, facts = asyncio.run(_look(settings))
    except SettingsError as error:
        raise WrongSettings(str(error)) from None
    made = [*checks.of_store(settings, health)]
    if facts is not None:
        made += checks.of_server(settings, facts)
    made += checks.of_money(settings, found)
    broken = any(one.state == "fail" for one in made)
    if as_json:
        click.echo(json.dumps({"healthy": not broken, "checks": [asdict(one) for one in made]}))
    else:
        click.echo("\n".join(map(_line, made)))
    if broken:
        sys.exit(1)


async def _look(settings: Settings) -> tuple[StoreHealth, StoreFacts | None]:
    from hashcache import wiring  # noqa: PLC0415 - as above

    store = wiring.store(settings)
    try:
        await store.open()
        health = await store.health()
        facts = await wiring.examine(store) if health.status == "connected" else None
    except StoreUnavailable:
        facts = None
    finally:
        await store.close()
    return health, facts


def _line(check: Check) -> str:
    mend = f"\n{'':<8}{'':<{_WIDTH}}-> {check.mend}" if check.mend else ""
    return f"{check.state:<8}{check.what:<{_WIDTH}}{check.said}{mend}"
