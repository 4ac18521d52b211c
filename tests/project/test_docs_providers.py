"""docs/providers.md says what the code does: each provider, its settings, its price, and lines that can be pasted."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from hashcache.core.content import Kind
from hashcache.core.money import dollars
from hashcache.settings import KNOBS, load, read_env_file
from hashcache.settings.vendors import KNOWN

DOCUMENT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", DOCUMENT, re.MULTILINE))
NAMES = ("generic", *KNOWN)


def pasted(section: str) -> dict[str, str]:
    """The variables of the first block of a section that is a `.env` file."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", SECTIONS[section], re.DOTALL | re.MULTILINE):
        return read_env_file(dedent(block))
    raise AssertionError(f"{section} has no block to paste")


def test_there_is_a_section_for_each() -> None:
    """What holds for all, each provider in the order in which `hashcache providers` shows them, and a new model."""
    assert tuple(SECTIONS) == ("All of them", *NAMES, "When a vendor changes its model")


@pytest.mark.parametrize("name", KNOWN)
def test_a_section_names_the_settings_of_its_account(name: str) -> None:
    """The key, all its parts; and the setting of the price, because prices are the operator's to check."""
    for variable in (*KNOWN[name].secrets.values(), f"HASHCACHE_{name.upper()}_PRICE_USD"):
        assert f"`{variable}`" in SECTIONS[name] or f"{variable}=" in SECTIONS[name], variable


@pytest.mark.parametrize("name", KNOWN)
def test_a_default_price_is_what_the_document_says(name: str) -> None:
    """With the day on which it was read; the settings and the adapter count with the same one, at the same address."""
    adapter = import_module(f"hashcache.providers.{name}")
    if KNOWN[name].price == "0":
        assert "the vendor publishes no price" in SECTIONS[name]
        return
    assert KNOWN[name].url == adapter.URL
    assert dollars(KNOWN[name].price) == adapter.PRICE
    assert f"${KNOWN[name].price} " in SECTIONS[name].replace(",", " ")
    assert adapter.READ in SECTIONS[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_to_paste_connect_the_provider(name: str) -> None:
    """They are accepted as settings, and the provider is asked first for what it can do."""
    settings = load(pasted(name))
    kinds = KNOWN[name].kinds if name in KNOWN else frozenset(Kind)
    assert {kind for kind, chain in settings.providers.items() if chain[0] == name} == kinds


def test_the_budgets_to_paste_are_budgets() -> None:
    """As they stand in the part that holds for all."""
    assert [one.scope for one in load(pasted("All of them")).budgets] == [
        "all",
        "provider=hive",
        "tenant=acme",
        "tenant=acme",
    ]


def test_the_table_tells_who_analyses_what() -> None:
    """A yes for each kind that the provider can, and what it needs."""
    rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \|(.*)\|(.*)\|(.*)\| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert [row[0] for row in rows] == list(NAMES)
    for name, link, *told, needs in rows:
        kinds = KNOWN[name].kinds if name in KNOWN else frozenset(Kind)
        assert link == name
        assert [kind in kinds for kind in (Kind.IMAGE, Kind.VIDEO, Kind.TEXT)] == [
            cell.strip() == "yes" for cell in told
        ]
        needed = KNOWN[name].secrets.values() if name in KNOWN else ["HASHCACHE_GENERIC_URL"]
        assert needs == ", ".join(f"`{variable}`" for variable in needed)


def test_no_other_setting_is_spoken_of() -> None:
    """Every variable that the document names exists."""
    spoken = set(re.findall(r"\b(?:HASHCACHE_[A-Z0-9_]*[A-Z0-9]|[A-Z_]+_API_[A-Z]+)\b(?!\*)", DOCUMENT))
    assert spoken <= {knob.name for knob in KNOBS} | {"HASHCACHE_URL", "HASHCACHE_API_KEY"}  # the command line's
