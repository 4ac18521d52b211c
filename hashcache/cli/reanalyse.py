"""`hashcache reanalyse`: what it would cost to buy a provider's older answers anew."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from hashcache.cli.remote import ask, remote_options
from hashcache.cli.world import World

_NOTHING_BY_ITSELF = (
    "nothing is analysed again by itself: uploads are not kept, so each content is bought anew when it is uploaded "
    "again. See what that may come to with --dry-run"
)


@click.command()
@click.option("--dry-run", is_flag=True, help="Count; the only thing that this can do.")
@click.option("--provider", help="Only this one. [default: each that is asked for something]")
@click.option(
    "--near",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Name verdicts whose score was so near to the threshold.",
)
@click.option("--present", is_flag=True, help="Count what raising the epoch now would make old, instead of what is.")
@remote_options
@click.pass_obj
def reanalyse(
    world: World,
    provider: str | None,
    near: float,
    url: str | None,
    key: str | None,
    *,
    dry_run: bool,
    present: bool,
    as_json: bool,
) -> None:
    """How many answers of older epochs are kept, what they would cost again, and which verdicts were near."""
    if not dry_run:
        raise click.UsageError(_NOTHING_BY_ITSELF)
    query = f"near={near:f}&of={'present' if present else 'older'}"
    names = [provider]
    if provider is None:
        names = [one["name"] for one in ask(world, "GET", "/api/admin/providers", url=url, key=key)["providers"]]
    answers = [
        ask(world, "GET", f"/api/admin/providers/{quote(str(name), safe='')}/reanalysis?{query}", url=url, key=key)
        for name in names
    ]
    if as_json:
        click.echo(json.dumps({"providers": answers}))
        return
    _show(answers, Console(highlight=False, soft_wrap=True))


def _show(answers: list[dict[str, Any]], console: Console) -> None:
    table = Table("provider", "epoch", "answers", "image", "video", "text", "would cost $", "near", box=None)
    for one in answers:
        least = "" if one["complete"] else "at least "
        near = "no score" if one["threshold"] is None else f"{least}{one['near_threshold']}"
        kinds = (str(one["by_kind"][kind]) for kind in ("image", "video", "text"))
        cost = f"{least}{one['cost_usd']}"
        table.add_row(one["provider"], str(one["epoch"]), f"{least}{one['entries']}", *kinds, cost, near)
    console.print(table)
    for one in answers:
        if one["nearest"]:
            console.print(f"{one['provider']}: scores within {one['near']} of {one['threshold']}, the nearest first:")
        for verdict in one["nearest"]:
            console.print(f"  {verdict['score_ai']}  {verdict['key']}")
        if not one["complete"]:
            console.print(f"{one['provider']}: the scan stopped early, after {one['scanned']} entries of the store")
