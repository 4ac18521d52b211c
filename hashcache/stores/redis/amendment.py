"""
One change of what the accounts know of a key, as the script `amend` makes it.

Rule 1: it is made if what was seen at the key and under the token is still there; else nothing is.
Rule 2: what a fleet changes at the same moment is judged by the script: the breaker, when it is asked, and the bounds
        of windows. When they forbid it, the key gets what is meant for that case, and the records and lines are
        written all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.key import Names
from hashcache.core.spend import DAY, KEPT_DAYS, day_of, month_of
from hashcache.ports import Attempt
from hashcache.stores.redis.scripts import Call, Script, flat

#: How long the hashes live once their life began anew, in milliseconds: the open accounts, and the days of a month.
LIFE = 40 * DAY
DAYS_LIFE = (KEPT_DAYS + 1 + 31) * DAY
_AMEND = Script.load("sums", "amend")


def at(attempt: Attempt) -> str:
    """The field of what lies at its key."""
    return f"at:{attempt.key.short.hex()}"


def lapsed(token: str) -> str:
    """The field of what has lapsed under *token*."""
    return f"lapsed:{token}"


def breaker(provider: str) -> str:
    """The field of the breaker of *provider*."""
    return f"breaker:{provider}"


def window(charge: str) -> str:
    """The field of the window of *charge*."""
    return f"window:{charge}"


class Seen(msgspec.Struct, frozen=True):
    """What lay at the key and under the token, empty: nothing; and what was drawn on the charges, in their order."""

    there: bytes = b""
    lapsed: bytes = b""
    drawn: Sequence[int] = ()


class Amendment(msgspec.Struct, frozen=True):
    """
    What is put at the key of *attempt*, or put there *instead* when breaker or budgets forbid it (empty: no change).

    *probe*: when the probe is given up as which the breaker may let it through; None: the breaker is not asked.
    *amount* is drawn on *charges*, within their bounds if *bounded*. *records*: other fields, by their names.
    """

    attempt: Attempt
    put: bytes = b""
    instead: bytes = b""
    probe: Instant | None = None
    amount: int = 0
    charges: Sequence[Charge] = ()
    bounded: bool = True
    records: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    lines: Mapping[str, int] = msgspec.field(default_factory=dict)

    def call(self, names: Names, seen: Seen, now: Instant) -> Call:
        """To make it *now*, if what was *seen* is there."""
        day = day_of(now)
        token, provider = self.attempt.token, self.attempt.account.provider
        bounds = ((window(one.name), one.most if self.bounded else "", one.ends) for one in self.charges)
        return _AMEND.call(
            [names.accounts, names.days(month_of(day)), names.money],
            now,
            LIFE,
            DAYS_LIFE,
            at(self.attempt),
            seen.there,
            lapsed(token),
            seen.lapsed,
            self.put,
            self.instead,
            breaker(provider) if self.probe is not None else "",
            token,
            self.probe or 0,
            self.amount,
            f"{day:%d}.",
            len(self.charges),
            len(self.records),
            len(self.lines),
            *flat(bounds),
            *flat(self.records.items()),
            *flat(self.lines.items()),
        )
