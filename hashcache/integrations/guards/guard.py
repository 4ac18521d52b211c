"""
Whether a payload holds secrets, and the payload without them.

Rule 1: what is told is the name of a rule and a count. The secret itself is in no message, no log and no repr.
Rule 2: text is searched as it is read, escapes of JSON resolved; one secret counts once, however it is found.
Rule 3: fail closed. What is too long to be searched counts as UNSEARCHED; what cannot be cleaned is not kept.
"""

from __future__ import annotations

import math
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from hashcache.integrations.guards.rules import RULES, Rule, varied
from hashcache.integrations.guards.views import View, is_json

#: Bytes of a payload that are searched; the longest entry that is kept by default.
MOST = 1024 * 1024
#: Counted for a payload that is longer.
UNSEARCHED = "unsearched"
#: A good threshold for the rule of entropy, in bits per character: a digest in hexadecimal has 4 at most.
ENTROPY = 4.5
_ENTROPY_NAME = "entropy"
# Runs up to 256 characters: a picture in base64 is longer, a key is not.
_RUN = re.compile(rb"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,256}+={0,2}+(?![A-Za-z0-9+/_=-])")
_RANK = {name: rank for rank, name in enumerate((*(rule.name for rule in RULES), _ENTROPY_NAME))}
#: What stands beside a secret may be seen for one only when that is gone; a longer chain of them is nothing to keep.
_ROUNDS = 16


class OnSecret(StrEnum):
    """What becomes of an answer with a secret in it: not kept; kept without the secret; kept under the user's key."""

    SKIP = "skip"
    REDACT = "redact"
    ENCRYPT = "encrypt"


class Redacted(NamedTuple):
    """*payload* without what was *found* (rule -> count)."""

    payload: bytes
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    *found*: how many secrets by which rule. *payload*: what may be kept; None: nothing. *encrypt*: only under a key of
    the user's own; where there is none, nothing.
    """

    found: Mapping[str, int]
    payload: bytes | None = field(repr=False)
    encrypt: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """
    Decides what may be kept of an answer. *entropy*: the threshold of that rule in bits per character; None: off.
    *most*: longer payloads are not searched, and so not kept (`encrypt`: kept encrypted).
    """

    on_secret: OnSecret = OnSecret.SKIP
    entropy: float | None = None
    most: int = MOST

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_secret", OnSecret(self.on_secret))
        if self.entropy is not None and not 0 < self.entropy <= 8:
            raise ValueError("entropy is in bits per character, above 0 and at most 8")

    def judge(self, payload: bytes) -> Verdict:
        """What may be kept of *payload*. Whoever gives the answer gives it as it is."""
        found = find_secrets(payload, entropy=self.entropy, most=self.most)
        if not found:
            return Verdict(found, payload)
        match self.on_secret:
            case OnSecret.SKIP:
                return Verdict(found, None)
            case OnSecret.ENCRYPT:
                return Verdict(found, payload, encrypt=True)
            case OnSecret.REDACT:
                clean = redact(payload, entropy=self.entropy, most=self.most)
                return Verdict(found, clean.payload if clean else None)


def find_secrets(payload: bytes, *, entropy: float | None = None, most: int = MOST) -> Mapping[str, int]:
    """
    How many secrets of which rule *payload* holds: JSON, text or anything else; empty: none that is known.

    *entropy*: also count runs of 20 to 256 characters of at least so many bits each.
    """
    if len(payload) > most:
        return {UNSEARCHED: 1}
    return Counter(name for _, _, name in _spans(payload, entropy))


def redact(payload: bytes, *, entropy: float | None = None, most: int = MOST) -> Redacted | None:
    """
    *payload* with `[secret: rule]` in place of each secret. What was valid JSON still is; two keys of an object that
    were secrets by one rule have one name then.

    None: it is too long, or was not clean after sixteen rounds.
    """
    if len(payload) > most:
        return None
    clean, found = payload, Counter[str]()
    for _ in range(_ROUNDS):
        spans = _spans(clean, entropy)
        if not spans:
            return Redacted(clean, found) if is_json(clean) or not is_json(payload) else None
        found = found or Counter(name for _, _, name in spans)
        clean = _replaced(clean, spans)
    return None


def _spans(payload: bytes, entropy: float | None) -> list[tuple[int, int, str]]:
    """Where in *payload* secrets stand, and by which rule; those of one rule do not overlap."""
    places: dict[str, list[tuple[int, int]]] = {}
    for view in View.all(payload):
        lower = view.text.lower()
        for rule in RULES:
            if any(hint in lower for hint in rule.hints):
                places.setdefault(rule.name, []).extend(view.span(*place) for place in _matches(rule, view.text))
        if entropy is not None:
            places.setdefault(_ENTROPY_NAME, []).extend(view.span(*place) for place in _runs(view.text, entropy))
    return [(*place, name) for name, several in places.items() for place in _merged(several)]


def _matches(rule: Rule, text: bytes) -> Iterator[tuple[int, int]]:
    for found in rule.pattern.finditer(text):
        if rule.accepts(found["secret"]):
            yield found.span("secret")


def _runs(text: bytes, threshold: float) -> Iterator[tuple[int, int]]:
    for found in _RUN.finditer(text):
        if varied(found.group()) and _entropy(found.group()) >= threshold:
            yield found.span()


def _entropy(run: bytes) -> float:
    """Bits per character (Shannon 1948)."""
    return -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())


def _merged(places: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same places, those that overlap as one."""
    open_, end = -1, -1
    for start, stop in sorted(places):
        if start >= end:
            if open_ >= 0:
                yield open_, end
            open_, end = start, stop
        end = max(end, stop)
    if open_ >= 0:
        yield open_, end


def _replaced(payload: bytes, spans: list[tuple[int, int, str]]) -> bytes:
    """*payload* with a mark for each span; those that overlap have one, named by the rule that comes first."""
    pieces, at = [], 0
    waiting = deque(sorted(spans))
    for start, end in _merged([(start, end) for start, end, _ in spans]):
        names = []
        while waiting and waiting[0][0] < end:
            names.append(waiting.popleft()[2])
        pieces += [payload[at:start], f"[secret: {min(names, key=_RANK.__getitem__)}]".encode()]
        at = end
    return b"".join((*pieces, payload[at:]))
