"""`hashcache spend`: where the money went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from hashcache.cli.remote import ask, remote_options
from hashcache.cli.world import World


@click.group(invoke_without_command=True)
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="The last so many days.")
@remote_options
@click.pass_context
def spend(context: click.Context, days: int, url: str | None, key: str | None, *, as_json: bool) -> None:
    """Spent, saved and wasted; budgets; what a month will cost."""
    context.ensure_object(World)
    if context.invoked_subcommand is not None:
        return
    answer = ask(context.obj, "GET", f"/api/admin/spend?days={days}", url=url, key=key)
    if as_json:
        click.echo(json.dumps(answer))
        return
    _show(answer, Console(highlight=False))


@spend.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", required=True, help="Whose bill it is.")
@remote_options
@click.pass_obj
def import_bill(world: World, file: Path, provider: str, url: str | None, key: str | None, *, as_json: bool) -> None:
    """Compare a vendor's usage export (CSV: day, calls, cost) with the books."""
    answer = ask(
        world,
        "POST",
        f"/api/admin/spend/import?provider={quote(provider)}",
        url=url,
        key=key,
        content=file.read_bytes(),
        headers={"Content-Type": "text/csv"},
    )
    if as_json:
        click.echo(json.dumps(answer))
        return
    table = Table("day", "billed calls", "booked calls", "billed $", "booked $", "drift $", box=None)
    for day in [*answer["days"], {"day": "all", **answer}]:
        billed, booked = day["billed"], day["booked"]
        table.add_row(
            day["day"], str(billed["calls"]), str(booked["calls"]), billed["usd"], booked["usd"], day["drift"]["usd"]
        )
    Console(highlight=False).print(table)


def _show(answer: dict[str, Any], console: Console) -> None:
    console.print(f"{answer['since']} to {answer['until']}")
    table = Table("", "spent $", "saved $", "wasted $", "calls", "hits", box=None)
    for name, figures in [("all", answer), *_parts(answer)]:
        calls = str(figures["calls"]["sent"])
        table.add_row(
            name, figures["spent_usd"], figures["saved_usd"], figures["wasted_usd"], calls, str(figures["hits"])
        )
    console.print(table)
    for budget in answer["budgets"]:
        console.print(
            f"budget {budget['scope']} a {budget['period']}: ${budget['used_usd']} of ${budget['limit_usd']}, "
            f"${budget['left_usd']} left until {budget['resets']}"
        )
    for breaker in answer["breakers"]:
        if breaker["state"] != "closed":
            console.print(f"{breaker['provider']} is not asked until {breaker['until']}: {breaker['reason']}")
    if answer["projection"] is not None:
        console.print(answer["projection"]["sentence"])


def _parts(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"  {word} {name}", figures)
        for word in ("provider", "kind", "tenant")
        for name, figures in answer[f"by_{word}"].items()
    ]
