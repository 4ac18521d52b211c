"""The two commands, and who else is in the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = ROOT / "Makefile"
TARGETS = {"help", "run", "test", "test-web", "prove", "check", "fix", "load", "lock", "clean"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with all that `make` looks at, whose environment seems to be installed."""
    shutil.copy(MAKEFILE, tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for made in (".venv/bin/python", ".venv/.run-stamp", ".venv/.dev-stamp"):
        (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made).touch()
    return tmp_path


def make(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`make` in *folder*, as from a shell of its own, with *path* searched first."""
    searched = f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin"
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={"PATH": searched},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def script(path: Path, body: str) -> None:
    """An executable shell script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)


def newer(path: Path, than: Path) -> None:
    """As if *path* had been changed a second after *than*."""
    instant = than.stat().st_mtime + 1
    os.utime(path, (instant, instant))


def test_make_lists_the_targets(checkout: Path) -> None:
    """`make` alone lists every target with a line of help, and does nothing else."""
    listed = make(checkout)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert set(re.findall(r"^  make ([\w-]+) +\S", listed.stdout, re.MULTILINE)) == TARGETS
    assert len(listed.stdout.splitlines()) == len(TARGETS)


@pytest.mark.parametrize("target", ["run", "test", "check"])
def test_second_time_installs_nothing(checkout: Path, target: str) -> None:
    """What is installed is not looked at again until the lock or the project changes; then it is installed again."""
    assert " install " not in make(checkout, "--dry-run", target).stdout
    lock, stamp = ("run.txt", ".run-stamp") if target == "run" else ("dev.txt", ".dev-stamp")
    newer(checkout / "requirements" / lock, than=checkout / ".venv" / stamp)
    assert f"--require-hashes --requirement requirements/{lock}" in make(checkout, "--dry-run", target).stdout


def test_nothing_unlocked_is_installed(checkout: Path) -> None:
    """Whatever is installed is checked against hashes, or is the project itself: no dependency, no build is fetched."""
    shutil.rmtree(checkout / ".venv")
    planned = make(checkout, "--dry-run", "test-web", "run", "load", "lock").stdout
    installations = [line for line in planned.splitlines() if "-m pip" in line]
    assert len(installations) == 7
    for line in installations:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line


def test_a_shim_that_runs_nothing_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    """Of the interpreters on the path, the first is taken that runs and is new enough, and gets a venv."""
    shutil.rmtree(checkout / ".venv")
    names = tmp_path / "names"
    script(names / "python3.14", "echo 'command not found' >&2; exit 127")
    script(names / "python3.13", "exit 1")
    # pip takes seconds to install and proves nothing here
    script(names / "python3.12", f'test "$1" = -m && set -- "$@" --without-pip; exec "{sys.executable}" "$@"')
    made = make(checkout, ".venv/bin/python", path=names)
    assert (made.returncode, made.stderr) == (0, "")
    assert (checkout / ".venv" / "pyvenv.cfg").is_file()
    asked = [checkout / ".venv/bin/python", "-c", "import sys; print(sys.prefix)"]
    ran = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=50)
    assert Path(ran.stdout.strip()).resolve() == (checkout / ".venv").resolve()


def test_a_missing_interpreter_is_said(checkout: Path) -> None:
    """Without a Python that will do, one reads what is needed and how to name one, and nothing is left behind."""
    shutil.rmtree(checkout / ".venv")
    failed = make(checkout, "PYTHON=/nowhere/python3", "run")
    assert failed.returncode != 0
    assert "needs Python 3.11 or newer" in failed.stderr
    assert "make PYTHON=" in failed.stderr
    assert not (checkout / ".venv").exists()


def test_clean_keeps_what_was_paid_for(checkout: Path) -> None:
    """`make clean` removes the environment, not the answers."""
    for kept in ("hashcache", "tests", "loadtests"):
        (checkout / kept).mkdir()
    (checkout / "hashcache.sqlite3").touch()
    assert make(checkout, "clean").returncode == 0
    assert not (checkout / ".venv").exists()
    assert (checkout / "hashcache.sqlite3").exists()


def test_ci_calls_the_same_targets() -> None:
    """`.ci/run` can be executed, stops at the first failure, and calls each target that tests."""
    ci = ROOT / ".ci" / "run"
    lines = ci.read_text("utf-8").splitlines()
    assert os.access(ci, os.X_OK)
    assert "set -euo pipefail" in lines
    called = [" ".join(line.split()[:2]) for line in lines if line.startswith("make")]
    assert called == ["make check", "make test", "make test-web", "make prove"]
