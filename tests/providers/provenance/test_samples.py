"""The files in docs/samples: what their README promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import samples
from tests.harness.analysis import judge

PROMISES = {
    "photo.jpg": ("inconclusive", "none", {"camera_exif"}),
    "ai-signed.jpg": ("ai_generated", "medium", {"c2pa_ai_generated", "c2pa_manifest"}),
    "letter.txt": (
        "inconclusive",
        "none",
        {"hidden_characters", "bidirectional_characters", "mixed_script", "tag_characters"},
    ),
}


@pytest.mark.parametrize("name", PROMISES)
def test_a_sample_gets_the_verdict_that_its_readme_promises(name: str) -> None:
    """Verdict, confidence and evidence of each committed sample are those of its line in the README."""
    judged = judge((samples.FOLDER / name).read_bytes())
    assert (judged.verdict, judged.confidence, judged.signals) == PROMISES[name]
    (line,) = (
        line for line in (samples.FOLDER / "README.md").read_text().splitlines() if line.startswith(f"| `{name}`")
    )
    for promised in (*PROMISES[name][:2], *judged.signals):
        assert f"`{promised}`" in line


def test_the_samples_can_be_made_again(tmp_path: Path) -> None:
    """The script makes the same three files: the letter byte for byte, the pictures with the same findings."""
    samples.main(tmp_path)
    assert {made.name for made in tmp_path.iterdir()} == set(PROMISES)
    assert (tmp_path / "letter.txt").read_bytes() == (samples.FOLDER / "letter.txt").read_bytes()
    for name, (verdict, confidence, signals) in PROMISES.items():
        judged = judge((tmp_path / name).read_bytes())
        assert (judged.verdict, judged.confidence, judged.signals) == (verdict, confidence, signals)


def test_the_samples_are_small() -> None:
    """Together they have less than 400 KB: a clone and a demonstration stay quick."""
    assert sum(file.stat().st_size for file in samples.FOLDER.iterdir()) < 400_000
