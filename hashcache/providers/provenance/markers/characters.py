"""
Characters in a text that a reader does not see, or takes for others.

Rule 1: they show manipulation or the way a text was copied, never who wrote it: no finding here carries a verdict.
Rule 2: what a script needs is legal where it stands: joiners in emoji and in Indic, Arabic and Persian words, variation
        selectors after emoji and ideographs, tag characters in the flags of regions, zero-width spaces in Thai, Khmer
        and Lao, marks of direction in Hebrew and Arabic, no-break spaces in French punctuation and between digits.
Rule 3: offsets count characters (code points) from 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hashcache.providers.provenance.findings import Finding, Strength, finding

#: This many are counted of each signal; beyond, "more than" is said.
MOST = 10_000
_SHOWN_OFFSETS = 5

_JOINING = "\u0590-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb1d-\ufdff\ufe70-\ufefc"
_EMOJI = "\u00a9\u00ae\u200d\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
#: Each class of characters with what makes it legal where it stands: a pattern of its neighbours.
_LEGAL: Sequence[tuple[str, str]] = (
    ("\u200c\u200d", f"(?<=[{_JOINING}])."),  # joiners in words
    ("\u200d", f"(?<=[{_EMOJI}])."),  # families, professions
    ("\u200b", "(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])."),  # between words without spaces
    ("\ufe00-\ufe0d", f"(?<=[{_IDEOGRAPHS}\u1800-\u18af\u2200-\u22ff])."),
    ("\ufe0e\ufe0f", f"(?<=[{_EMOJI}0-9#*])."),  # text or emoji style, key caps
    ("\U000e0100-\U000e01ef", f"(?<=[{_IDEOGRAPHS}])."),  # ideographic variation (UTS 37)
    ("\u115f\u1160\u3164\uffa0", "(?<=[\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff])."),
    ("\u2800", "(?<=[\u2801-\u28ff]).|.(?=[\u2801-\u28ff])"),
    ("\u180e", "(?<=[\u1800-\u18af])."),
    ("\ufeff", r"(?<![\s\S])."),  # a byte order mark at the very start
)
_HIDDEN = (
    "\u00ad\u034f\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0100-\U000e01ef"
)
_SPACES = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_LEGAL_SPACE = re.compile(
    "[\u00a0\u202f\u2009](?=[:;!?%\u00bb\u203a\u20ac$])|(?<=[\u00ab\u2039\\d])[\u00a0\u202f\u2009]|[\u00a0\u202f\u2009](?=\\d)"
    "|(?<=[\u2e80-\u30ff\u3400-\u9fff\uff00-\uffef])\u3000|\u3000(?=[\u2e80-\u30ff\u3400-\u9fff])|(?:^|(?<=\\n))\u3000"
)
#: The flag of a region: a black flag, lower-case tags, a cancel tag (UTS 51, ED-14a).
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
_TAG = re.compile("[\U000e0000-\U000e007f]")
#: Marks, embeddings and isolates belong to text with right-to-left letters; overrides belong nowhere.
_DIRECTIONS, _OVERRIDES = "\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069", "\u202d\u202e"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


@dataclass(frozen=True, slots=True)
class _Seen:
    """Characters of one signal: at which *offsets*, and how often each."""

    offsets: list[int]
    counts: Counter[str]

    @property
    def value(self) -> str:
        """Such as `U+200B (3); at 12, 40, 77`."""
        kinds = ", ".join(f"U+{ord(letter):04X} ({count})" for letter, count in self.counts.most_common(4))
        places = ", ".join(str(at) for at in self.offsets[:_SHOWN_OFFSETS])
        more = " (more than counted)" if len(self.offsets) >= MOST else ""
        return f"{kinds}{more}; at {places}" + (" …" if len(self.offsets) > _SHOWN_OFFSETS else "")


def findings(text: str) -> Iterator[Finding]:
    """What is hidden in *text*."""
    yield from _report(
        "hidden_characters",
        _seen(text, f"[{_HIDDEN}]", _is_legal),
        "The text holds characters that cannot be seen, where no script needs them. They can carry hidden data, or "
        "come from where the text was copied. They do not show who wrote it.",
    )
    directions = _OVERRIDES if _RIGHT_TO_LEFT.search(text) else _DIRECTIONS + _OVERRIDES
    yield from _report(
        "bidirectional_characters",
        _seen(text, f"[{directions}]"),
        "The text holds controls of writing direction where no script needs them: what is read may be in another "
        "order than what is stored. They do not show who wrote it.",
    )
    yield from _tags(text)
    yield from _report(
        "unusual_spaces",
        _seen(text, f"[{_SPACES}]", lambda text, at: bool(_LEGAL_SPACE.match(text, at))),
        "The text holds spaces that keyboards do not write. Word processors, web pages and language models do; "
        "they do not show who wrote it.",
        strength=Strength.NONE,
    )


def _seen(text: str, characters: str, legal: Callable[[str, int], bool] | None = None) -> _Seen:
    seen = _Seen([], Counter())
    for found in re.finditer(characters, text):
        if legal is None or not legal(text, found.start()):
            seen.offsets.append(found.start())
            seen.counts[found.group()] += 1
            if len(seen.offsets) >= MOST:
                break
    return seen


_LEGAL_PLACES = [(re.compile(f"[{letters}]"), re.compile(place, re.DOTALL)) for letters, place in _LEGAL]


def _is_legal(text: str, at: int) -> bool:
    return any(letters.match(text, at) and place.match(text, at) for letters, place in _LEGAL_PLACES)


def _report(signal: str, seen: _Seen, explanation: str, *, strength: Strength = Strength.WEAK) -> Iterator[Finding]:
    if seen.offsets:
        yield finding(signal, f"character {seen.offsets[0]}", seen.value, explanation, strength=strength)


def _tags(text: str) -> Iterator[Finding]:
    """Tag characters outside the flags of regions: each mirrors an ASCII character that nobody sees."""
    if not _TAG.search(text):
        return
    flags = {at for flag in _FLAG.finditer(text) for at in range(*flag.span())}
    places = [found.start() for found in _TAG.finditer(text) if found.start() not in flags][:MOST]
    if places:
        mirrored = "".join(chr(ord(text[at]) - 0xE0000) for at in places[:200])
        yield finding(
            "tag_characters",
            f"character {places[0]}",
            f"{len(places)} characters that spell: {mirrored}",
            "The text holds invisible tag characters, which language models read and people do not see: a known way "
            "to hide instructions. They do not show who wrote it.",
            strength=Strength.MEDIUM,
        )
