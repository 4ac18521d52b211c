"""`hashcache inspect`: entries with their provenance, age, the life that they have left, what they cost and saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from hashcache.cli.remote import ask, remote_options
from hashcache.cli.tables import shown
from hashcache.cli.world import World
from hashcache.core.digest import parse_sha256

_WIDTH = 12


@click.command()
@click.argument("key_or_sha256", metavar="KEY")
@remote_options
@click.pass_obj
def inspect(world: World, key_or_sha256: str, url: str | None, key: str | None, *, as_json: bool) -> None:
    """
    The entry of this KEY, as X-Cache-Key tells it; or all that is known about the content with this SHA-256: who said
    it, when, what it cost, how often it was hit, until when it is kept. Asking is no hit.
    """
    name = parse_sha256(key_or_sha256) or key_or_sha256
    path = f"/api/admin/cache/entries/{quote(name, safe=':')}"
    found = ask(world, "GET", path, url=url, key=key)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("\n\n".join("\n".join(_lines(entry)) for entry in found["entries"]))


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    result = entry["result"] or {}
    for name, said in (
        ("key", entry["key"]),
        ("kind", entry["kind"]),
        ("tenant", entry["tenant"]),
        ("tags", ", ".join(entry["tags"]) or "none"),
        ("verdict", _verdict(entry, result)),
        ("said by", " ".join(filter(None, (entry["provider"], entry["model"], entry["model_version"])))),
        ("analysed", entry["analysed_at"] or entry["created"]),
        ("age", _life(entry["age_seconds"])),
        ("expires in", _life(entry["ttl_seconds"])),
        ("price", f"${entry['cost_usd']}"),
        ("hits", str(entry["hits"])),
        ("size", f"{entry['answer_bytes']:,} bytes"),
    ):
        yield f"{name:<{_WIDTH}}{shown(said)}"
    for one in result.get("evidence", ()):
        yield f"{'evidence':<{_WIDTH}}{one['strength']}: {shown(one['explanation'])}"


def _verdict(entry: dict[str, Any], result: dict[str, Any]) -> str:
    if entry["error"]:
        return f"none: it failed ({entry['error']}), and that is remembered"
    score = "no score" if result["score_ai"] is None else f"score {result['score_ai']:.2f}"
    return f"{result['verdict']} ({score}, confidence {result['confidence']})"


def _life(seconds: int) -> str:
    """*seconds* in the two largest units."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
