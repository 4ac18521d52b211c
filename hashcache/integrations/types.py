"""
Types: how answers of one sort live, as data.

Rule 1: an answer without an end is never kept: every type has a TTL, of at least a millisecond.
Rule 2: a type that is off, personal or in real time keeps nothing: its functions run each time, and it says why.
Rule 3: whatever lets an answer live longer, or computes it earlier, is off unless it is asked for.
Rule 4: answers are searched for secrets before they are kept, unless a type says that it has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from hashcache.core.content import Kind
from hashcache.core.policy import Policy, Remembered
from hashcache.integrations.guards.guard import MOST, Guard, OnSecret

#: How long an answer or a failure lives: seconds or a `timedelta`.
Duration = float | timedelta

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TAG = re.compile(r"[^\x00-\x1f\x7f*]{1,128}")
_MOMENT, _LONGEST = timedelta(milliseconds=1), timedelta(days=3660)


def duration(value: Duration, what: str) -> timedelta:
    """
    *value* as a `timedelta`; *what* names it in the error.

    Raises:
        TypeError: it is neither seconds nor a timedelta. ValueError: it is not positive, or longer than ten years.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise TypeError(f"{what} is seconds or a timedelta, not {value!r}: nothing is kept for ever")
    try:
        life = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):
        life = timedelta(0)
    if not _MOMENT <= life <= _LONGEST:
        raise ValueError(f"{what} must be positive and at most ten years, not {value!r}: nothing is kept for ever")
    return life


def check_tag(tag: str) -> str:
    """*tag*, if it is one; ValueError otherwise."""
    if not _TAG.fullmatch(tag):
        raise ValueError(f"a tag has 1 to 128 characters without * and control characters, not {tag!r}")
    return tag


@dataclass(frozen=True, slots=True)
class Type:
    """
    One sort of answers. *name* is a word of letters, digits, `_`, `.`, `-`.

    *ttl*: how long an answer is fresh, in seconds or as a timedelta. *enabled* False: nothing is kept. *scope* `user`:
    each user has answers of his own, and whoever asks says which user. *tags*: under which its answers can be
    invalidated. *refresh*: answers are computed anew in the background before they expire; 1 is the optimum of XFetch,
    more is earlier, 0 off. *stale*: how much longer an expired answer is given while a new one is computed in the
    background; *stale_if_error*: or while computing one fails. *jitter*: up to which share of the TTL answers expire
    earlier, so that not all do at once. *target_hit_rate*: in percent; below it `stats` says so. *negatives*: which
    exceptions are remembered, and how long: callers are raised the like without a run. *patience*: how long a caller
    waits for an answer that somebody computes; then TimeoutError.

    *on_secret*: what becomes of an answer with a secret in it: `skip`, it is given and not kept; `redact`, it is kept
    without the secret; `encrypt`, it is kept under a key of its user's own; None: answers are not searched. *entropy*:
    from how many bits per character on a run of letters is a secret, whatever its shape; None: never.

    *personal*, *realtime*: data of a kind that must not be kept. Then nothing is, whatever else is said.

    Raises (when made):
        ValueError, TypeError: something of it makes no sense; the message says what.
    """

    name: str
    ttl: Duration = 600.0
    enabled: bool = True
    scope: Literal["all", "user"] = "all"
    tags: tuple[str, ...] = ()
    refresh: float = 0.0
    stale: Duration = 0.0
    stale_if_error: Duration = 0.0
    jitter: float = 0.0
    target_hit_rate: float | None = None
    negatives: Mapping[type[Exception], Duration] = field(default_factory=dict, hash=False)
    personal: bool = False
    realtime: bool = False
    patience: Duration = 3600.0
    on_secret: OnSecret | Literal["skip", "redact", "encrypt"] | None = OnSecret.SKIP
    entropy: float | None = None
    #: The same for the engine.
    policy: Policy = field(init=False, repr=False, compare=False)
    #: Whether a hit is just given: nothing of it is refused, refreshed, served stale, or remembered of failures.
    plain: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a type's name has 1 to 64 of A-Z, a-z, 0-9, _ . -, not {self.name!r}")
        if self.name in set(Kind):
            raise ValueError(f"{self.name!r} is a kind of the service's own; call the type {self.name}s, for example")
        if self.scope not in ("all", "user"):
            raise ValueError(f"the scope of a type is 'all' or 'user', not {self.scope!r}")
        tags: object = self.tags
        if not isinstance(tags, tuple):
            raise TypeError(f"the tags of a type are a tuple of strings, not {tags!r}")
        if self.target_hit_rate is not None and not 0 <= self.target_hit_rate <= 100:
            raise ValueError("target_hit_rate is in percent, 0 to 100")
        for tag in self.tags:
            check_tag(tag)
        for error in self.negatives:
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise TypeError(f"negatives maps classes of exceptions to durations; {error!r} is no such class")
        if self.on_secret == OnSecret.ENCRYPT and self.scope != "user":
            raise ValueError("on_secret='encrypt' is for answers that belong to a user: say scope='user'")
        self.guard(MOST)  # raises for what is none
        object.__setattr__(self, "policy", self._policy())
        more = self.refusal or self.refresh or self.stale or self.stale_if_error or self.negatives
        object.__setattr__(self, "plain", not more)

    def guard(self, most: int) -> Guard | None:
        """What judges its answers, as far as they have *most* bytes; None: nothing does."""
        return None if self.on_secret is None else Guard(OnSecret(self.on_secret), self.entropy, most)

    @property
    def refusal(self) -> str | None:
        """Why nothing of this type is kept; None: it is."""
        if self.personal:
            return f"type {self.name!r} is personal data, which is not kept"
        if self.realtime:
            return f"type {self.name!r} is real-time data, which is out of date as soon as it is kept"
        return None if self.enabled else f"type {self.name!r} is switched off (enabled=False)"

    def _policy(self) -> Policy:
        remembered = {}
        for error, value in self.negatives.items():
            life = duration(value, f"how long {error.__qualname__} is remembered")
            remembered[class_name(error)] = Remembered(life, life)
        return Policy(
            ttl=duration(self.ttl, f"the ttl of type {self.name!r}"),
            stale_while_revalidate=_perhaps(self.stale, "stale"),
            stale_if_error=_perhaps(self.stale_if_error, "stale_if_error"),
            refresh_ahead=self.refresh,
            jitter=self.jitter,
            negatives=remembered,
            patience=duration(self.patience, "patience"),
        )

    def with_ttl(self, ttl: Duration | None) -> Type:
        """This type, with another *ttl* if one is given."""
        return self if ttl is None else replace(self, ttl=ttl)


def find(kind: Type | str, types: dict[str, Type]) -> Type:
    """
    The type called *kind* among *types*, or *kind* itself, which is put there unless another is called so.

    Raises:
        ValueError: no type is called so. TypeError: it is neither, such as a function that is decorated without
            parentheses.
    """
    if isinstance(kind, Type):
        types.setdefault(kind.name, kind)
        return kind
    if not isinstance(kind, str):
        raise TypeError(f"a type is a hashcache.Type or its name, not {kind!r}; decorators have parentheses: @cached()")
    known = types.get(kind)
    if known is None:
        raise ValueError(f"no type is called {kind!r}; there are {', '.join(sorted(types))}")
    return known


def class_name(error: type[BaseException]) -> str:
    """By which name a failure of this class is remembered."""
    return f"{error.__module__}.{error.__qualname__}"


def _perhaps(value: Duration, what: str) -> timedelta:
    return timedelta(0) if value in (0, timedelta(0)) else duration(value, what)


#: What is meant where no type is named.
DEFAULT = Type("default")

#: Types that are ready to use, by name; a cache is given others, or more, by `types=`.
TYPES: Mapping[str, Type] = MappingProxyType(
    {
        one.name: one
        for one in (
            DEFAULT,
            # pages and lists of a web application
            Type("dashboard", ttl=300),
            Type("search", ttl=3600),
            Type("user", ttl=1800, scope="user"),
            Type("product", ttl=7200),
            Type("analytics", ttl=600),
            # by how fast the data change
            Type("realtime", ttl=30),
            Type("frequent", ttl=300),
            Type("lists", ttl=300),
            Type("statistics", ttl=900),
            Type("static", ttl=3600),
            # answers of language models and their tools
            Type("compact_results", ttl=300),
            Type("mcp_readonly", ttl=600),
            Type("conversations", enabled=False),
        )
    }
)
