"""`hashcache export`: all answers of the store, into a file of JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from hashcache.cli.world import World
from hashcache.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from hashcache.settings import Settings


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--plain", is_flag=True, help="Write what the store holds encrypted in plain text.")
@click.pass_obj
def exporting(world: World, file: str, *, plain: bool) -> None:
    """
    Write every answer that may be served now to FILE (`-`: standard output), with the life that it has left.

    Asks the store that the settings name, not a service. The file is complete or not there.
    """
    settings = world.settings()
    if settings.encrypt and not plain:
        raise click.ClickException(
            "the answers are encrypted in the store and would be plain text in the file: say --plain if that is "
            "what you want, and keep the file as you keep HASHCACHE_SECRET"
        )
    with _complete(file) as out:
        try:
            number = asyncio.run(_export(settings, out))
        except StoreUnavailable as error:
            raise click.ClickException(f"the store does not answer: {error}; see `hashcache doctor`") from None
    click.echo(f"{number:,} answers exported", err=True)


async def _export(settings: Settings, out: IO[bytes]) -> int:
    from hashcache import wiring  # noqa: PLC0415 - a store is loaded when it is wanted
    from hashcache.service import transfer  # noqa: PLC0415 - as above

    store = wiring.store(settings)
    number = 0
    try:
        await store.open()
        out.write(transfer.heading(settings.environment, store.now()) + b"\n")
        async for line in transfer.exported(store):
            out.write(line + b"\n")
            number += 1
    finally:
        await store.close()
    return number


@contextmanager
def _complete(file: str) -> Iterator[IO[bytes]]:
    """What becomes *file*, readable by its owner alone, when all went well; else nothing is left."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        Path(name).replace(target)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
