"""The compiled requirements: what is installed is what was locked, everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FILES = ("run", "dev", "web", "load", "lock")
ADDRESS = re.compile(r"://|^\s*-(?!-hash=sha256:[0-9a-f]{64})|\b[\w-]+\.(?:org|com|net|io|dev)\b", re.MULTILINE)
LINE = re.compile(
    r"^(?P<requirement>[A-Za-z0-9][^#\\\n]*?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)
PLACES = [
    {"sys_platform": system, "platform_system": name, "python_version": version, "python_full_version": f"{version}.9"}
    for system, name in (("linux", "Linux"), ("darwin", "Darwin"), ("win32", "Windows"))
    for version in ("3.11", "3.12", "3.13", "3.14")
]


def text_of(name: str) -> str:
    """One compiled file."""
    return (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")


def locked(name: str) -> list[Requirement]:
    """What one compiled file installs."""
    return [Requirement(found["requirement"]) for found in LINE.finditer(text_of(name))]


def source(name: str) -> list[Requirement]:
    """The requirements of one handwritten file."""
    lines = (ROOT / "requirements" / name).read_text("utf-8").splitlines()
    return [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]


def wanted(name: str) -> list[Requirement]:
    """What one compiled file was compiled from."""
    if name == "lock":
        return source("lock.in")
    groups = PROJECT["dependency-groups"]
    run = PROJECT["project"]["dependencies"]
    texts = {"run": run, "dev": [*run, *groups["dev"]], "web": groups["web"], "load": groups["load"]}[name]
    return [Requirement(text) for text in texts] + (source("build.in") if name in {"run", "dev"} else [])


@pytest.mark.parametrize("name", FILES)
def test_no_address_is_locked(name: str) -> None:
    """A compiled file names packages and hashes: no index, no host, no other option."""
    assert ADDRESS.findall(text_of(name)) == []


@pytest.mark.parametrize("name", FILES)
def test_everything_is_pinned_and_hashed(name: str) -> None:
    """Every line that is not a comment belongs to a requirement with one exact version and at least one hash."""
    rest = LINE.sub("", text_of(name))
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []
    assert all(len(one.specifier) == 1 and str(one.specifier).startswith("==") for one in locked(name))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place['sys_platform']}-{place['python_version']}")
def test_lock_serves_every_platform(name: str, place: dict[str, str]) -> None:
    """On each system and Python, what applies there has one locked version that it allows; what does not has none."""
    found = {canonicalize_name(one.name): one for one in locked(name) if not one.marker or one.marker.evaluate(place)}
    for need in wanted(name):
        pinned = found.get(canonicalize_name(need.name))
        if need.marker is None or need.marker.evaluate(place):
            assert pinned is not None, f"{need} is not locked: make lock"
            version = str(pinned.specifier).removeprefix("==")
            assert need.specifier.contains(version, prereleases=True), f"{need} is locked as {pinned}: make lock"
        else:
            assert pinned is None, f"{need} does not apply, and is locked as {pinned}: make lock"


def test_tests_run_on_what_is_served() -> None:
    """The tests' environment holds the very versions that the service runs on."""
    run = {(one.name, str(one.specifier)) for one in locked("run")}
    assert run <= {(one.name, str(one.specifier)) for one in locked("dev")}


def test_load_tests_stay_apart() -> None:
    """Locust patches the standard library when it is imported: it is in no environment but its own."""
    assert not {"locust", "gevent"} & {one.name for name in ("run", "dev") for one in locked(name)}


def test_the_build_is_locked_too() -> None:
    """What builds the project is locked, and is what pyproject.toml says."""
    needs = {str(Requirement(text)) for text in PROJECT["build-system"]["requires"]}
    assert needs <= {str(one) for one in source("build.in")}
    assert {Requirement(text).name for text in needs} <= {one.name for one in locked("run")}
