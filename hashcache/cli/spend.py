"""`hashcache spend`: where the money went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from hashcache.cli.remote import ask, remote_options
from hashcache.cli.tables import table
from hashcache.cli.world import World


@click.group(invoke_without_command=True)
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="The last so many days.")
@remote_options
@click.pass_context
def spend(context: click.Context, days: int, url: str | None, key: str | None, *, as_json: bool) -> None:
    """Spent, saved and wasted; budgets; what a month will cost."""
    if context.invoked_subcommand is not None:
        return
    world = context.ensure_object(World)
    answer = ask(world, "GET", f"/api/admin/spend?days={days}", url=url, key=key)
    click.echo(json.dumps(answer) if as_json else _shown(answer))


@spend.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", required=True, help="Whose bill it is.")
@remote_options
@click.pass_context
def import_bill(
    context: click.Context, file: Path, provider: str, url: str | None, key: str | None, *, as_json: bool
) -> None:
    """Compare a vendor's usage export (CSV: day, calls, cost) with the books."""
    before = context.parent.params if context.parent is not None else {}  # options may stand before `import` as well
    answer = ask(
        context.ensure_object(World),
        "POST",
        f"/api/admin/spend/import?provider={quote(provider)}",
        url=url or before.get("url"),
        key=key or before.get("key"),
        content=_read(file),
        headers={"Content-Type": "text/csv"},
    )
    if as_json or before.get("as_json"):
        click.echo(json.dumps(answer))
        return
    rows = [
        (day["day"], *(day[book][what] for what in ("calls", "usd") for book in ("billed", "booked", "drift")))
        for day in [*answer["days"], {"day": "all", **answer}]
    ]
    heads = ("", "calls billed", "calls booked", "drift", "$ billed", "$ booked", "drift")
    click.echo(table(heads, rows))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from None


def _shown(answer: dict[str, Any]) -> str:
    """The answer for a terminal: parts by a blank line."""
    parts = [f"{answer['since']} to {answer['until']}\n{_money(answer)}"]
    if answer["budgets"]:
        parts.append(_budgets(answer["budgets"]))
    notes = [
        f"{one['provider']} is not asked until {one['until']}: {one['reason']}"
        for one in answer["breakers"]
        if one["state"] == "open"
    ]
    unknown = answer["calls"]["unknown"]
    if unknown:
        notes.append(f"calls of which nobody knows the outcome, counted as wasted: {unknown}")
    if answer["projection"] is not None:
        notes.append(answer["projection"]["sentence"])
    if not answer["calls"]["sent"]:
        notes.append("No paid call was made in these days.")
    return "\n\n".join([*parts, *notes])


def _money(answer: dict[str, Any]) -> str:
    rows = [
        (
            name,
            *(figures[f"{word}_usd"] for word in ("spent", "saved", "wasted")),
            figures["calls"]["sent"],
            figures["hits"],
            figures["collapsed"],
        )
        for name, figures in [("all", answer), *_parts(answer)]
    ]
    return table(("", "spent $", "saved $", "wasted $", "calls", "hits", "joined"), rows)


def _parts(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{word} {name}", figures)
        for word in ("provider", "kind", "tenant")
        for name, figures in answer[f"by_{word}"].items()
    ]


def _budgets(budgets: list[dict[str, Any]]) -> str:
    rows = [
        (f"{one['scope']}, a {one['period']}", one["limit_usd"], one["used_usd"], one["left_usd"], one["resets"])
        for one in budgets
    ]
    return table(("budget", "of $", "used $", "left $", "until"), rows)
