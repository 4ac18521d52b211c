"""
The knobs of the vendors that we know: how to reach each, what it costs, what it takes.

Rule: `into` begins with the vendor's name; `loading` makes one `Vendor` of those whose account is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.content import Kind
from hashcache.settings import shapes
from hashcache.settings.knob import Knob

_MEDIA = frozenset({Kind.IMAGE, Kind.VIDEO})
_key = shapes.word(r"[\x21-\x7e]{1,1024}", "1 to 1024 printable characters without blanks")
_version = shapes.word(r"[\x21-\x7e]{1,128}", "1 to 128 printable characters without blanks")


@dataclass(frozen=True, slots=True)
class Known:
    """
    A vendor: its *kinds*, the names of the variables that hold its *secrets* (`user` and `key`), where it is reached,
    what one *unit* costs in US dollars (`0`: it publishes no price that we know), and its own threshold.
    """

    kinds: frozenset[Kind]
    secrets: Mapping[str, str]
    url: str
    unit: str
    price: str
    ai_above: str = "0.5"


KNOWN: Mapping[str, Known] = {
    "sightengine": Known(
        _MEDIA,
        {"user": "SIGHTENGINE_API_USER", "key": "SIGHTENGINE_API_SECRET"},
        "https://api.sightengine.com/1.0",
        "operation",
        "0.0029",
    ),
    "hive": Known(
        _MEDIA, {"key": "HIVE_API_KEY"}, "https://api.thehive.ai/api/v3", "image or frame", "0.006", ai_above="0.9"
    ),
    "aiornot": Known(frozenset(Kind), {"key": "AIORNOT_API_KEY"}, "https://api.aiornot.com", "check", "0.01"),
    "gptzero": Known(
        frozenset({Kind.TEXT}), {"key": "GPTZERO_API_KEY"}, "https://api.gptzero.me", "word", "0.00005"
    ),
    "reality_defender": Known(
        _MEDIA, {"key": "REALITY_DEFENDER_API_KEY"}, "https://api.prd.realitydefender.xyz", "scan", "0"
    ),
}  # fmt: skip


def _knobs(name: str, known: Known) -> Iterator[Knob]:
    prefix = f"HASHCACHE_{name.upper()}_"
    for part, variable in known.secrets.items():
        what = "the user of its API." if part == "user" else "the key of its API."
        yield Knob(variable, f"{name}.{part}", _key, f"`{name}`: {what}", "3fe1c0a8b2d94e77", secret=True)
    yield Knob(
        f"{prefix}URL",
        f"{name}.url",
        shapes.web_address,
        f"`{name}`: where its API is.",
        "https://gateway.example.com",
        known.url,
    )
    yield Knob(
        f"{prefix}PRICE_USD",
        f"{name}.price",
        shapes.price,
        f"`{name}`: what your plan charges for one {known.unit}, in US dollars.",
        "0.002",
        known.price,
    )
    yield Knob(
        f"{prefix}TIMEOUT",
        f"{name}.timeout",
        shapes.duration(least=timedelta(milliseconds=1), most=timedelta(hours=1)),
        f"`{name}`: how long a call may take; unset: as for other providers.",
        "20s",
    )
    yield Knob(
        f"{prefix}CONCURRENCY",
        f"{name}.concurrency",
        shapes.whole(least=1, most=1000),
        f"`{name}`: how many calls one process makes at the same time.",
        "16",
        "8",
    )
    yield Knob(
        f"{prefix}AI_ABOVE",
        f"{name}.ai_above",
        shapes.share,
        f"`{name}`: a score of so much or more means AI-generated.",
        "0.7",
        known.ai_above,
    )
    yield Knob(
        f"{prefix}MAX_BYTES",
        f"{name}.most_bytes",
        shapes.size(),
        f"`{name}`: the largest content that your plan takes; unset: what the vendor publishes.",
        "20MB",
    )
    if Kind.VIDEO in known.kinds:
        yield Knob(
            f"{prefix}MAX_SECONDS",
            f"{name}.most_seconds",
            shapes.whole(least=1, most=86_400),
            f"`{name}`: the longest video that your plan takes; unset: what the vendor publishes.",
            "30",
        )
    if Kind.TEXT in known.kinds:
        yield Knob(
            f"{prefix}MAX_CHARACTERS",
            f"{name}.most_characters",
            shapes.whole(least=1, most=10**9),
            f"`{name}`: the longest text that your plan takes; unset: what the vendor publishes.",
            "20000",
        )


_OWN = (
    Knob("HASHCACHE_GPTZERO_MULTILINGUAL", "gptzero.multilingual", shapes.switch,
         "`gptzero`: 1: also texts in French and Spanish; not together with a model version.", "1", "0"),
    Knob("HASHCACHE_GPTZERO_MODEL_VERSION", "gptzero.model_version", _version,
         "`gptzero`: asks this version of its model; unset: its newest.", "2025-11-28-base"),
)  # fmt: skip

VENDORS: tuple[Knob, ...] = (*(knob for name, known in KNOWN.items() for knob in _knobs(name, known)), *_OWN)
