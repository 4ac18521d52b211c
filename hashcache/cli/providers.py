"""`hashcache providers`: who is asked for what, what is configured, and what is missing."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import click

from hashcache.cli.world import World, WrongSettings
from hashcache.core.errors import SettingsError

_WIDE = 80
_INDENT = 20


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def providers(world: World, *, as_json: bool) -> None:
    """Who analyses what, in which order, at what price; and what each provider still lacks. Asks nobody."""
    # The adapters are loaded when they are wanted: whoever asks for --help need not wait for them.
    from hashcache.service.survey import survey  # noqa: PLC0415 - see above

    try:
        found = survey(world.settings())
    except SettingsError as error:
        raise WrongSettings(str(error)) from None
    if as_json:
        click.echo(json.dumps({"providers": found}))
        return
    click.echo("Asked, in this order:")
    for kind in ("image", "video", "text"):
        click.echo(_line(kind, [" then ".join(_asked(found, kind))]))
    for title, chosen in (
        ("Ready:", [one for one in found if one["configured"]]),
        ("Not configured:", [one for one in found if not one["configured"]]),
    ):
        if chosen:
            click.echo(f"\n{title}")
        for one in chosen:
            click.echo(_line(one["name"], _about(one)))


def _asked(found: Iterable[dict[str, Any]], kind: str) -> list[str]:
    """The names of those that are asked about *kind*, in their order."""
    places = {one["asked_for"][kind]: one["name"] for one in found if kind in one["asked_for"]}
    return [places[place] for place in sorted(places)]


def _about(one: dict[str, Any]) -> Iterator[str]:
    """What is to be said of a provider, what is to be done first."""
    if one["missing"]:
        yield f"needs {' and '.join(one['missing'])}"
    elif not one["asked_for"]:
        yield "is not asked: name it in HASHCACHE_PROVIDER"
    yield f"{', '.join(one['kinds'])}; {_price(one)}"
    yield from one["limits"]


def _price(one: dict[str, Any]) -> str:
    if one["embedded"]:
        return "free of charge"
    if one["price_usd"] == "0":
        return f"price not known: set {one['price_setting']}"
    read = f" (published {one['price_read']})" if one["price_read"] else ""
    return f"${one['price_usd']} per {one['unit']}{read}"


def _line(name: str, texts: Iterable[str]) -> str:
    """*name*, and beside it each of *texts* on lines of its own, no wider than a terminal of old."""
    width = _WIDE - _INDENT
    lines = [line for text in texts for line in textwrap.wrap(text, width, break_long_words=False)]
    return "\n".join(
        f"  {name if not number else '':<{_INDENT - 2}}{line}" for number, line in enumerate(lines)
    ).rstrip()
