"""The files of web/: few bytes, nothing inline, nothing from elsewhere, found from a checkout and from a wheel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hashcache.api.pages import folder, read

WEB = Path(__file__).parents[2] / "web"
FILES = sorted(path.name for path in WEB.iterdir())
_MOST_BYTES = 150_000


def test_a_folder_is_read_once(tmp_path: Path) -> None:
    """What is no page, style, script or picture is not served, and neither is a folder, nor what comes later."""
    (tmp_path / "page.html").write_text("<!doctype html>", "utf-8")
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    (tmp_path / "folder.js").mkdir()
    files = read(tmp_path)
    (tmp_path / "late.js").write_text("1", "utf-8")
    assert set(files) == {"page.html"}


def test_the_pages_are_small() -> None:
    """All files of both pages together are less than 150 KB as they are, before they are packed."""
    assert sum(path.stat().st_size for path in WEB.iterdir()) < _MOST_BYTES


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(name: str) -> None:
    """No inline script, style or handler; no address of another host but the names of XML and of an example."""
    text = (WEB / name).read_text("utf-8")
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'<`]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://127.0.0.1:8000"}
    assert "innerHTML" not in text
    if name.endswith(".html"):
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_a_checkout_serves_its_own_files() -> None:
    """From a checkout, as an editable install runs it, the files beside the package are served."""
    assert folder() == WEB
