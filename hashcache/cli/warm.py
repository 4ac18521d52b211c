"""
`hashcache warm`: see to it that all of a folder is known, in as many sittings as it takes.

Rule 1: what is done is written to a state file, a line a file: its path, size, time of change, and when it was done.
        Where it stopped it goes on. A file that changed is looked at again, and so is what was done a day ago: an
        answer may have expired since.
Rule 2: the state spares reading and asking, and is never the reason why something is bought twice: what it forgot is
        asked by hash, as ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec

from hashcache.cli.analyze import Bar, progress
from hashcache.cli.folders import files
from hashcache.cli.remote import address, clear_errors, client, remote_options
from hashcache.cli.tables import shown
from hashcache.cli.world import World

if TYPE_CHECKING:
    from hashcache.cli.uploading import Totals

#: Seconds.
_BELIEVED = 24 * 60 * 60
_SHELF = "~/.local/state/hashcache"


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was seen: its whole path, bytes, and time of change in nanoseconds."""

    path: str
    size: int
    changed: int


class _Done(msgspec.Struct, frozen=True, array_like=True):
    """A line of the state: that it was done, and when (seconds since 1970)."""

    mark: _Mark
    at: float


_decoder = msgspec.json.Decoder(_Done)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Where it is written down what is done. [default: {_SHELF}/warm-<of the folder and the service>.jsonl]",
)
@click.option("--concurrency", type=click.IntRange(1, 16), default=4, show_default=True, help="Uploads at a time.")
@click.option("--timeout", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds for each file.")
@remote_options
@click.pass_obj
def warm(
    world: World,
    folder: str,
    state: Path | None,
    concurrency: int,
    timeout: float,
    url: str | None,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """
    Have all files below FOLDER analysed that are not known, and go on where it stopped.

    Remove the state file to look at everything again, for example when answers have expired.
    """
    state = state or _default_state(world, folder, address(world, url))
    done = _read(state)
    marks = {path: mark for path in files([folder]) if (mark := _mark(path)) is not None}
    todo = [path for path, mark in marks.items() if mark not in done]
    with clear_errors(world, url), _appended(state) as book, progress(len(todo)) as bar:
        totals = asyncio.run(
            _run(world, {path: marks[path] for path in todo}, book, bar, url, key, concurrency, timeout)
        )
    skipped = len(marks) - len(todo)
    if as_json:
        told = {name: getattr(totals, name) for name in ("files", "known", "uploaded", "failed")}
        money = {"spent_usd": str(totals.spent), "saved_usd": str(totals.saved)}
        click.echo(json.dumps({**told, "bytes": totals.sent, **money, "done_before": skipped, "state": str(state)}))
    else:
        click.echo(f"{totals}" + (f"; {skipped:,} were done before ({state})" if skipped else ""))
    if totals.failed:
        sys.exit(1)


async def _run(
    world: World,
    todo: Mapping[str, _Mark],
    book: IO[bytes],
    bar: Bar,
    url: str | None,
    key: str | None,
    concurrency: int,
    timeout: float,
) -> Totals:
    from hashcache.cli import uploading  # noqa: PLC0415 - with it comes httpx, which --help does without

    async with client(world, url=url, key=key, timeout=timeout) as service:
        work = uploading.Uploading(service, concurrency=concurrency, on_progress=bar.sending)
        async for told in work.analysed(list(todo)):
            if told.error is None:
                book.write(msgspec.json.encode(_Done(todo[told.path], datetime.now(UTC).timestamp())) + b"\n")
                book.flush()
            else:
                click.echo(f"{shown(told.path)}: {shown(uploading.reason(told.error))}", err=True)
            bar.done()
        return work.totals


def _default_state(world: World, folder: str, url: str) -> Path:
    """One file for each folder and service, so that the answers of one are not taken for those of another."""
    shelf = world.variables.get("XDG_STATE_HOME")
    name = hashlib.sha256(f"{Path(folder).resolve()}\n{url}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return (Path(shelf) / "hashcache" if shelf else Path(_SHELF).expanduser()) / f"warm-{name}.jsonl"


def _mark(path: str) -> _Mark | None:
    """*path* as it is now; None when it has gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    whole = str(Path(path).resolve()).encode("utf-8", "backslashreplace").decode()
    return _Mark(whole, status.st_size, status.st_mtime_ns)


def _read(state: Path) -> set[_Mark]:
    """What was done less than a day ago; a line that was cut off in the middle is as if it were not there."""
    since = datetime.now(UTC).timestamp() - _BELIEVED
    done = set()
    try:
        with state.open("rb") as book:
            for line in book:
                with suppress(msgspec.DecodeError):
                    one = _decoder.decode(line)
                    if one.at > since:
                        done.add(one.mark)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise click.ClickException(f"{state} cannot be read: {error.strerror}; name another with --state") from None
    return done


@contextmanager
def _appended(state: Path) -> Iterator[IO[bytes]]:
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        book = state.open("ab")
    except OSError as error:
        raise click.ClickException(f"{state} cannot be written: {error.strerror}; name another with --state") from None
    with book:
        if book.tell():
            book.write(b"\n")  # whatever the last sitting left in the middle of a line
        yield book
