"""`hashcache import`: answers from a file of `hashcache export` into the store; nothing is bought again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from itertools import islice
from typing import IO, TYPE_CHECKING

import click

from hashcache.cli.world import World
from hashcache.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from hashcache.settings import Settings

_BATCH = 100
_WORDS = {
    "newer": "there already",
    "expired": "expired",
    "cleared": "cleared there since",
    "busy": "being bought now",
    "refused": "not kept by the store",
    "wrong": "wrong lines",
}


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def importing(world: World, file: IO[bytes], *, as_json: bool) -> None:
    """
    Put the answers in FILE (`-`: standard input) into the store that the settings name.

    Each keeps the life that it has left; what lies there and is as new or newer stays. May be run again at any time.
    Exit code 1 when a line is wrong.
    """
    from hashcache.service.transfer import NotAnExport  # noqa: PLC0415 - loaded when it is wanted

    settings = world.settings()
    try:
        counts = asyncio.run(_import(settings, file))
    except NotAnExport as error:
        raise click.ClickException(str(error)) from None
    except StoreUnavailable as error:
        raise click.ClickException(
            f"the store does not answer: {error}; run it again, see `hashcache doctor`"
        ) from None
    if as_json:
        click.echo(json.dumps({name: counts[name] for name in ("imported", *_WORDS)}))
    else:
        rest = "".join(f", {counts[name]:,} {word}" for name, word in _WORDS.items() if counts[name])
        click.echo(f"{counts['imported']:,} answers imported{rest}")
    if counts["wrong"]:
        sys.exit(1)


async def _import(settings: Settings, file: IO[bytes]) -> Counter[str]:
    from hashcache import wiring  # noqa: PLC0415 - a store is loaded when it is wanted
    from hashcache.service import transfer  # noqa: PLC0415 - as above

    def wrong(number: int, reason: str) -> None:
        click.echo(f"line {number}: {' '.join(reason.split())[:300]}", err=True)

    transfer.read_heading(file.readline(transfer.MOST_LINE))
    store = wiring.store(settings)
    importer = transfer.Importer(store, token=wiring.token, wrong=wrong)
    # A longer line is cut in two, of which none is JSON.
    lines = enumerate(iter(lambda: file.readline(transfer.MOST_LINE), b""), start=2)
    try:
        await store.open()
        while batch := list(islice(lines, _BATCH)):
            await importer.take(batch)
    finally:
        await store.close()
    return importer.counts
