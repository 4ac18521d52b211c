"""What a look-up tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hashcache.core.freshness import Cause
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.engine.load import LoadFailed


@dataclass(frozen=True, slots=True)
class Found:
    """
    What lies under some keys: the outcome of the first fresh one; else the *failure* remembered of one, if any;
    *pending*: whether one is being bought. *causes*: why there is none, as the store says of each key. *away*: the
    store did not answer, so that nothing found means nothing. *took*: milliseconds, where no outcome tells them.
    """

    outcome: Outcome | None
    pending: bool
    failure: LoadFailed | None = None
    causes: Mapping[Key, Cause] = field(default_factory=dict)
    away: bool = False
    took: float = 0.0


#: Nothing is known: nobody looked.
UNKNOWN = Found(None, pending=False)
