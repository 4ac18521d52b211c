"""docs/names.md and its neighbours say what there is: links lead somewhere, names on the right are ours."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from pathlib import Path

import click
import pytest

from hashcache import TYPES, Cache, Stats, Type
from hashcache.cli import main
from hashcache.integrations.admin import admin_routes
from hashcache.integrations.starlette import cached_route
from hashcache.settings import KNOBS

DOCS = Path(__file__).parents[2] / "docs"
NAMES = DOCS / "names.md"
PAGES = [NAMES, DOCS / "examples" / "README.md", *sorted((DOCS / "moving-from").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """What the headings of *page* are called in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def right_of_tables(page: Path) -> str:
    """The cells on the right of all tables of *page*."""
    rows = re.findall(r"^\| .* \| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return "\n".join(rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to one of its headings."""
    for target, anchor in re.findall(r"\]\(([\w./-]+)?(?:#([\w-]+))?\)", page.read_text("utf-8")):
        file = page.parent / target if target else page
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("page", [NAMES, *PAGES[2:]], ids=lambda page: page.stem)
def test_words_on_the_right_are_ours(page: Path) -> None:
    """Methods of a cache, words of a type and of decorators, settings, commands, figures."""
    text = right_of_tables(page)
    methods = set(re.findall(r"\bcache\.(\w+)", text))
    assert {one for one in methods if not hasattr(Cache, one)} <= {"error", "sqlite3"}
    words = {
        *inspect.signature(Type).parameters,
        *inspect.signature(Cache).parameters,
        *inspect.signature(Cache.cached).parameters,
        *inspect.signature(Cache.get_or_load).parameters,
        *inspect.signature(Cache.invalidates).parameters,
        *inspect.signature(Cache.invalidate).parameters,
        *inspect.signature(cached_route).parameters,
        *inspect.signature(admin_routes).parameters,
        "threshold",  # of Similar
    }
    assert set(re.findall(r"\b([a-z_]+)=", text)) - {"provider"} <= words
    assert set(re.findall(r"\bHASHCACHE_[A-Z_]+", text)) <= {knob.name for knob in KNOBS}
    assert set(re.findall(r"`hashcache (\w+)", text)) <= set(main.list_commands(click.Context(main)))
    assert {"enabled", "keys", "memory_used", "memory_max", "available"} <= set(Stats.__dataclass_fields__)


def test_the_types_have_the_seconds_that_are_told() -> None:
    """Each name with its seconds, on the left, is a type that is ready, with as many, and none is left out."""
    told: dict[str, int] = {}
    for line in NAMES.read_text("utf-8").splitlines():
        if "`hashcache.TYPES`" in line:
            for names, seconds in re.findall(r"((?:\w+ and )?\w+) (\d+)(?: s)?\b", line.split(" | ")[0]):
                told |= dict.fromkeys(names.split(" and "), int(seconds))
    assert told == {name: one.ttl for name, one in TYPES.items() if one.enabled and not isinstance(one.ttl, timedelta)}
