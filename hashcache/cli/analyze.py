"""`hashcache analyze`: files, folders and standard input, of which only what is not known is uploaded."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import click
import msgspec

from hashcache.cli.folders import STDIN, files
from hashcache.cli.remote import clear_errors, client, remote_options
from hashcache.cli.tables import shown
from hashcache.cli.world import World
from hashcache.core.result import Verdict

_FOUND = 3


@click.command()
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--fail-on",
    type=click.Choice([verdict.value for verdict in Verdict]),
    multiple=True,
    help="Exit with 3 when this is found; may be repeated.",
)
@click.option("--concurrency", type=click.IntRange(1, 16), default=4, show_default=True, help="Uploads at a time.")
@click.option("--timeout", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds for each file.")
@click.option("--refresh", is_flag=True, help="Buy anew what is known.")
@remote_options
@click.pass_obj
def analyze(  # noqa: PLR0913 - the options of a command
    world: World,
    names: Sequence[str],
    fail_on: Sequence[str],
    concurrency: int,
    timeout: float,
    url: str | None,
    key: str | None,
    *,
    refresh: bool,
    as_json: bool,
) -> None:
    """Analyse files, folders (with all below them) and `-`, the standard input. Only what is not known is uploaded."""
    paths = files(names)
    with ExitStack() as stack:
        stdin = stack.enter_context(_whole_stdin()) if STDIN in paths else None
        stack.enter_context(clear_errors(world, url))
        bar = stack.enter_context(progress(len(paths)))
        work = _run(world, paths, url, key, bar, stdin, concurrency, timeout, refresh=refresh, as_json=as_json)
        totals = asyncio.run(work)
    click.echo(str(totals), err=as_json)
    if totals.verdicts & set(fail_on):
        sys.exit(_FOUND)
    if totals.failed:
        sys.exit(1)


async def _run(  # noqa: PLR0913 - what the command was told
    world: World,
    paths: Sequence[str],
    url: str | None,
    key: str | None,
    bar: Bar,
    stdin: IO[bytes] | None,
    concurrency: int,
    timeout: float,
    *,
    refresh: bool,
    as_json: bool,
) -> Any:
    from hashcache.cli import uploading  # noqa: PLC0415 - with it comes httpx, which --help does without

    async with client(world, url=url, key=key, timeout=timeout) as service:
        work = uploading.Uploading(
            service, concurrency=concurrency, refresh=refresh, stdin=stdin, on_progress=bar.sending
        )
        async for told in work.analysed(paths):
            if as_json:
                click.echo(msgspec.json.encode(uploading.as_json(told)))
            elif told.error is not None:
                click.echo(f"{shown(told.path)}: {shown(uploading.reason(told.error))}", err=True)
            else:
                click.echo(_row(told))
            bar.done()
        return work.totals


def _row(told: Any) -> str:
    one = told.analysed or told.known
    score = "" if one.result.score_ai is None else f"{one.result.score_ai:.2f}"
    how = "uploaded" if told.analysed is not None and told.analysed.uploaded else "known"
    return f"{one.result.verdict:<13} {score:>4}  {one.result.confidence:<6}  {how:<8}  {shown(told.path)}"


@contextmanager
def _whole_stdin() -> Iterator[IO[bytes]]:
    """All of the standard input, so that it can be read twice: for its hash, and for an upload."""
    from hashcache.client.contents import spooled  # noqa: PLC0415 - as above

    with spooled(sys.stdin.buffer) as copy:
        yield copy


class Bar:
    """What a person sees meanwhile: nothing, unless `progress` says otherwise."""

    def __init__(self, advance: Callable[[], None] | None = None, tell: Callable[[str], None] | None = None) -> None:
        self._advance = advance
        self._tell = tell

    def done(self) -> None:
        """One more file."""
        if self._advance is not None:
            self._advance()

    def sending(self, path: str, sent: int, total: int) -> None:
        """So much of *path* is uploaded."""
        if self._tell is not None:
            self._tell(f"{shown(path)[-40:]} {100 * sent // max(total, 1)} %")


@contextmanager
def progress(total: int) -> Iterator[Bar]:
    """A bar of *total* files on a terminal's stderr; elsewhere nothing is shown."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    # Only a person at a terminal waits for rich to be loaded.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    # Lines for the same terminal are printed above the bar; what goes into a pipe is left alone.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        task = bars.add_task("", total=total)
        yield Bar(lambda: bars.advance(task), lambda text: bars.update(task, description=text))
