"""`hashcache clear`: forget what matches a pattern, after it was counted and confirmed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from hashcache.cli.remote import clear_errors, client, remote_options
from hashcache.cli.world import World

if TYPE_CHECKING:
    from hashcache.client import Clearing

#: Seconds in which its progress is watched; a clear goes on without us.
_WATCHED = 600.0


@click.command()
@click.argument("pattern")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--reason", default="hashcache clear", show_default=True, help="Why; for the log.")
@remote_options
@click.pass_obj
def clear(
    world: World,
    pattern: str,
    reason: str,
    url: str | None,
    key: str | None,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Forget the entries that match PATTERN, at once in every process.

    `*` is every entry, `analysis:*` images and videos, `text:*` texts, `analysis:<sha256>` one content. The books are
    never touched.
    """
    with clear_errors(world, url, admin=True):
        if dry_run or not yes:
            counted = asyncio.run(_clear(world, pattern, reason, url, key, dry_run=True))
            if dry_run:
                click.echo(msgspec.json.encode(counted) if as_json else _matching(counted.deleted, pattern))
                return
            if not sys.stdin.isatty():
                raise click.UsageError(f"{_matching(counted.deleted, pattern)}; say --yes to clear without being asked")
            if not click.confirm(f"{_matching(counted.deleted, pattern)}. Clear?", err=True):
                click.echo("Nothing was cleared.", err=True)
                sys.exit(1)
        done = asyncio.run(_clear(world, pattern, reason, url, key, dry_run=False))
    if as_json:
        click.echo(msgspec.json.encode(done))
    elif done.done:
        click.echo(f"{_entries(done.deleted)} cleared")
    else:
        click.echo(f"cleared: none of it is served any more; {_entries(done.deleted)} removed so far, the rest follows")


async def _clear(
    world: World, pattern: str, reason: str, url: str | None, key: str | None, *, dry_run: bool
) -> Clearing:
    def progress(deleted: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{_entries(deleted)} removed ", err=True, nl=False)

    async with client(world, url=url, key=key, timeout=_WATCHED) as service:
        return await service.clear(pattern, reason=reason, dry_run=dry_run, on_progress=progress)


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"


def _matching(number: int, pattern: str) -> str:
    return f"{_entries(number)} {'matches' if number == 1 else 'match'} {pattern}"
