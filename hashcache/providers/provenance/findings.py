"""
What an analyser hands in: one piece of evidence, and what that evidence can carry.

Rule 1: evidence that says nothing about the origin carries no verdict (`says` is None), however alarming it is.
Rule 2: values are short: nobody's prompt or text is repeated at length.
Rule 3: what was not looked at is said, as evidence of strength `none`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hashcache.core.result import Confidence, Evidence, Verdict

#: A value has at most this many characters.
LONGEST_VALUE = 120


class Strength(StrEnum):
    """How much a finding weighs, as in `Evidence.strength`."""

    STRONG = "strong"
    MEDIUM = "medium"
    WEAK = "weak"
    NONE = "none"


class Finding(msgspec.Struct, frozen=True):
    """One piece of *evidence*, and the verdict that it can carry alone, with which confidence."""

    evidence: Evidence
    says: Verdict | None = None
    confidence: Confidence = Confidence.NONE


class Report(msgspec.Struct, frozen=True):
    """
    All findings about one file, what was looked at and what was not (in words for people).

    *complete* is False for what is known before native code has its turn.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    complete: bool


class Malformed(Exception):
    """The bytes are not what their format prescribes; what lies behind cannot be found."""


class NotChecked(Exception):
    """A limit of ours ended the reading; the message says which."""


def shown(text: str) -> str:
    """*text* on one line without control characters, cut to LONGEST_VALUE."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 4 * LONGEST_VALUE]).split())
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + "…"


def finding(
    signal: str,
    where: str,
    value: str,
    explanation: str,
    *,
    strength: Strength = Strength.NONE,
    verified: bool = False,
    says: Verdict | None = None,
    confidence: Confidence = Confidence.NONE,
) -> Finding:
    """A finding whose *where* and *value* are cut to what may be shown."""
    evidence = Evidence(signal, shown(where), shown(value), strength.value, verified, explanation)
    return Finding(evidence, says, confidence)


def failed(where: str, problem: str) -> Finding:
    """What is reported when an analyser could not read something."""
    return finding(
        "analyser_error",
        where,
        problem,
        "This part of the file could not be read: it is damaged, or made in a way that we do not know. "
        "Markers in it would not have been seen.",
    )


def unchecked(where: str, reason: str) -> Finding:
    """What is reported when a limit of ours ended the reading."""
    return finding(
        "not_checked",
        where,
        f"not checked: {reason}",
        "A limit that protects the service was reached. Markers behind it would not have been seen.",
    )
