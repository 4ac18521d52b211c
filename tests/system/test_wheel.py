"""What is installed from a wheel serves the same pages as a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "web").iterdir())

pytestmark = pytest.mark.prove


def test_a_wheel_carries_the_pages(tmp_path: Path) -> None:
    """A wheel holds every file of web/, and the package that it installs finds them there."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=50)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    asked = "from hashcache.api.pages import folder, read; print(folder()); print(*sorted(read(folder())))"
    ran = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert ran.stdout.splitlines() == [str(tmp_path / "installed" / "hashcache" / "web"), " ".join(FILES)]
