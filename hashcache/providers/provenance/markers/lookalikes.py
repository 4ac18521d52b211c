"""
Words that mix scripts so that one letter passes for another: "paypal" with a Cyrillic U+0430 for its a.

Rule 1: a word is reported when Latin letters stand beside Cyrillic or Greek ones of which at least one looks Latin.
        Units and formulas (kΩ, μm, Δt) mix scripts too, with letters that pass for nothing.
Rule 2: it shows manipulation or a slip of the keyboard, never who wrote the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hashcache.providers.provenance.findings import Finding, Strength, finding

MOST = 1_000
_SHOWN = 3
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]")
#: Cyrillic and Greek letters that look like a Latin one in common typefaces (after Unicode's confusables, UTS 39).
_LOOKALIKE = re.compile("[АВЕЅІЈКМНОРСТУХаеорсухѕіјһԁԛԝӏүԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαρνικ]")


def findings(text: str) -> Iterator[Finding]:
    """The words of *text* that mix scripts: one finding, with the first of them."""
    if not _LOOKALIKE.search(text):
        return
    found: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        letters = word.group()
        if not letters.isascii() and _LOOKALIKE.search(letters) and _LATIN.search(letters):
            found.append(word)
            if len(found) >= MOST:
                break
    if found:
        words = ", ".join(f"{word.group()[:24]} at {word.start()}" for word in found[:_SHOWN])
        count = f"{len(found)}+" if len(found) >= MOST else str(len(found))
        yield finding(
            "mixed_script",
            f"character {found[0].start()}",
            f"{count} words: {words}",
            "Words mix Latin letters with Cyrillic or Greek ones that look the same: a way to evade filters or to "
            "imitate names, or a slip of the keyboard. It does not show who wrote the text.",
            strength=Strength.WEAK,
        )
