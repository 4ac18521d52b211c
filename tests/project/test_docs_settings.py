"""docs/settings.md says what the code does: each knob, its default and its example, in the order of the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hashcache.settings import KNOBS, Knob, load, read_env_file
from hashcache.settings.knobs import ALERTS, BUDGETS, LIMITS, PROVIDERS, SERVER, STORE
from hashcache.settings.vendors import VENDORS
from hashcache.settings.webhooks import WEBHOOKS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
SECTIONS = {
    "Store": STORE,
    "Providers": PROVIDERS,
    "Vendors": VENDORS,
    "Budgets": BUDGETS,
    "Limits": LIMITS,
    "Webhooks": WEBHOOKS,
    "Server and callers": SERVER,
    "Alerts": ALERTS,
}


def row(knob: Knob) -> str:
    """The line of *knob* in the document."""
    default = f"`{knob.default}`" if knob.default is not None else ""
    return f"| `{knob.name}` | {knob.what} | {default} | `{knob.example}` |"


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_lists_its_knobs(section: str) -> None:
    """Paste the rows that this shows as missing: they come from `hashcache/settings/knobs.py`."""
    text = DOCUMENT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [row(knob) for knob in SECTIONS[section]]


def test_the_sections_hold_every_knob() -> None:
    """None is forgotten between them."""
    assert sum(SECTIONS.values(), ()) == KNOBS


def test_no_other_name_is_documented() -> None:
    """Every variable that the document speaks of exists."""
    spoken = set(re.findall(r"\b(?:HASHCACHE|REDIS)_[A-Z0-9_]*[A-Z0-9]\b(?!\*)", DOCUMENT))
    assert spoken <= {knob.name for knob in KNOBS} | {"HASHCACHE_URL", "HASHCACHE_API_KEY", "HASHCACHE_PORT"}


def test_the_env_file_of_the_document_can_be_pasted() -> None:
    """The example of a `.env` file is read, and accepted as settings."""
    for example in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL):
        load(read_env_file(example))
