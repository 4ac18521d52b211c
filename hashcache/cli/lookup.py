"""`hashcache lookup`: what is known of files or digests, without uploading any."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click
import msgspec

from hashcache.cli.folders import files
from hashcache.cli.remote import clear_errors, client, remote_options
from hashcache.cli.tables import shown
from hashcache.cli.world import World
from hashcache.core.digest import parse_sha256


@click.command()
@click.argument("names", metavar="FILE|SHA256...", nargs=-1, required=True)
@remote_options
@click.pass_obj
def lookup(world: World, names: Sequence[str], url: str | None, key: str | None, *, as_json: bool) -> None:
    """What is known of files, folders or SHA-256 digests, without uploading any. Exit code 1: something is not."""
    asked = [path for name in names for path in ([name] if parse_sha256(name) else files([name]))]
    if "-" in asked:
        raise click.UsageError("standard input cannot be looked up: name a file or a SHA-256")
    with clear_errors(world, url):
        unknown = asyncio.run(_run(world, asked, url, key, as_json=as_json))
    if unknown:
        sys.exit(1)


async def _run(world: World, asked: Sequence[str], url: str | None, key: str | None, *, as_json: bool) -> int:
    """Print what is known; how many are not."""
    async with client(world, url=url, key=key, timeout=300) as service:
        try:
            answer = await service.lookup(asked)
        except OSError as error:
            raise click.ClickException(f"{error.filename} cannot be read: {error.strerror}") from None
    for name, found in zip(asked, answer.found, strict=True):
        if as_json:
            click.echo(msgspec.json.encode({"name": name, **msgspec.structs.asdict(found)}))
        else:
            verdict = found.result.verdict if found.result is not None else ""
            click.echo(f"{found.status:<8} {verdict:<13}  {shown(name)}")
    return sum(found.status != "known" for found in answer.found)
