"""`hashcache inspect`: one answer with its provenance, its age, the life that it has left and what it cost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from hashcache.cli.remote import clear_errors, client, remote_options
from hashcache.cli.tables import amount, shown
from hashcache.cli.world import World
from hashcache.core.content import Kind
from hashcache.core.digest import parse_sha256

if TYPE_CHECKING:
    from hashcache.client import Analysis

_WIDTH = 12


@click.command()
@click.argument("sha256")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Look for this kind only.")
@remote_options
@click.pass_obj
def inspect(world: World, sha256: str, kind: str | None, url: str | None, key: str | None, *, as_json: bool) -> None:
    """The answer about the content with this SHA-256: who said it, when, what it cost, until when it is kept."""
    digest = parse_sha256(sha256)
    if digest is None:
        raise click.UsageError("a content is named by its SHA-256: 64 hexadecimal digits, as sha256sum prints it")
    with clear_errors(world, url):
        found = asyncio.run(_get(world, digest, kind, url, key))
    if found is None:
        click.echo(f"nothing is known of {digest}, or it is not yours", err=True)
        sys.exit(1)
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(_lines(found)))


async def _get(world: World, digest: str, kind: str | None, url: str | None, key: str | None) -> Analysis | None:
    async with client(world, url=url, key=key) as service:
        return await service.get(digest, kind=Kind(kind) if kind is not None else None)


def _lines(found: Analysis) -> Iterator[str]:
    result = found.result
    score = "no score" if result.score_ai is None else f"score {result.score_ai:.2f}"
    version = f" {result.model_version}" if result.model_version else ""
    for name, said in (
        ("key", found.key or ""),
        ("kind", found.kind),
        ("verdict", f"{result.verdict} ({score}, confidence {result.confidence})"),
        ("said by", f"{result.provider}, model {result.model}{version}"),
        ("analysed", f"{result.analysed_at:%Y-%m-%dT%H:%M:%SZ}"),
        ("age", _life(found.age)),
        ("expires in", _life(found.ttl)),
        ("price", amount(found.cost.saved_usd)),
    ):
        yield f"{name:<{_WIDTH}}{said}"
    for one in result.evidence:
        yield f"{'evidence':<{_WIDTH}}{one.strength}: {shown(one.explanation)}"


def _life(seconds: int | None) -> str:
    """*seconds* in the two largest units."""
    if seconds is None:
        return "unknown"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
