"""`hashcache stats`: how the cache does, over all processes and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from hashcache.cli.remote import ask, remote_options
from hashcache.cli.tables import size, table
from hashcache.cli.world import World


@click.command()
@remote_options
@click.pass_obj
def stats(world: World, url: str | None, key: str | None, *, as_json: bool) -> None:
    """Hit rate, misses by cause, latency, money and memory, since the store was first used."""
    answer = ask(world, "GET", "/api/admin/cache/stats", url=url, key=key)
    click.echo(json.dumps(answer) if as_json else "\n\n".join(_parts(answer)))


def _parts(answer: dict[str, Any]) -> Iterator[str]:
    """The answer for a terminal, part by part."""
    cache, money = answer["cache"], answer["money"]
    yield "\n".join(
        [
            f"store      {cache['status']}{'' if cache['available'] else ', does not answer now'}",
            f"hit rate   {cache['hit_rate']:.2f} % of {cache['total_requests']:,} questions",
            f"money      ${money['spent_usd']} spent, ${money['saved_usd']} saved, ${money['wasted_usd']} wasted",
            f"errors     {cache['errors']:,}",
            *_memory(cache["memory"]),
            *_commands(cache["commands"]),
        ]
    )
    kinds = [
        (kind, f["hits"], f["misses"], (cache["memory"]["keys"] or {}).get(kind, ""))
        for kind, f in cache["by_kind"].items()
    ]
    yield table(("", "hits", "misses", "entries"), kinds)
    yield table(("misses", "", ""), [(cause, number, "") for cause, number in cache["misses_by_cause"].items()])
    latency = [
        (name, *("" if figures[p] is None else figures[p] for p in ("p50", "p95", "p99")))
        for name, figures in cache["latency_ms"].items()
    ]
    yield table(("milliseconds", "p50", "p95", "p99"), latency)


def _memory(memory: dict[str, Any]) -> Iterator[str]:
    if memory["used"] is not None:
        most = f" of {size(memory['max'])} ({memory['percent']} %)" if memory["max"] else ""
        yield f"memory     {size(memory['used'])}{most}, {memory['evicted'] or 0:,} evicted"


def _commands(commands: dict[str, Any] | None) -> Iterator[str]:
    if commands is not None and commands["month"] is not None:
        yield f"commands   {commands['month']:,} this month, {commands['per_request']} a request"
