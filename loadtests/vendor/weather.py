"""
The bad days of a vendor: slow, failing, throttling, or done with the customer.

Rule 1: chance and time are handed in, so that a run can be repeated.
Rule 2: a refusal comes before anything is billed; an answer is lost after it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

#: Refusals of the customer, whoever calls.
DENIALS = (401, 402, 403)


@dataclass(frozen=True)
class Weather:
    """
    How a vendor behaves.

    A purchase takes *delay* to *slowest* seconds. Of the calls that begin one, so many per *window* seconds are let in
    (*rate*), the share *failing* is answered 500, all are answered *denial* if there is one, or 402 once *credit*
    micro-dollars were billed. Of the purchases the share *losing* is billed, and the connection is cut.
    """

    delay: float = 0.0
    slowest: float = 0.0
    rate: int | None = None
    window: float = 1.0
    failing: float = 0.0
    losing: float = 0.0
    denial: int | None = None
    credit: int | None = None


@dataclass(frozen=True)
class Refused:
    """With this *status*; *retry_after* seconds from now it may be otherwise."""

    status: int
    retry_after: int | None = None


class Forecast:
    """What *weather* means for one vendor's calls, one after the other. *now*: seconds that never run backwards."""

    def __init__(self, weather: Weather, *, chance: Random, now: Callable[[], float]) -> None:
        self._weather = weather
        self._chance = chance
        self._now = now
        self._since = -math.inf
        self._let_in = 0

    def refused(self, billed: int) -> Refused | None:
        """Whether a call that begins a purchase is refused, *billed* micro-dollars having been billed so far."""
        weather = self._weather
        if weather.denial is not None:
            return Refused(weather.denial)
        if weather.credit is not None and billed >= weather.credit:
            return Refused(402)
        left = self._throttled()
        if left is not None:
            return Refused(429, math.ceil(left))
        return Refused(500) if self._chance.random() < weather.failing else None

    def is_lost(self) -> bool:
        """Whether the answer to a purchase never arrives."""
        return self._chance.random() < self._weather.losing

    def takes(self) -> float:
        """Seconds until a purchase is answered."""
        return self._chance.uniform(self._weather.delay, max(self._weather.delay, self._weather.slowest))

    def _throttled(self) -> float | None:
        """Seconds until the next window begins, when this one is full; None: there is room, which is taken."""
        weather = self._weather
        if weather.rate is None:
            return None
        now = self._now()
        if now - self._since >= weather.window:
            self._since, self._let_in = now, 0
        if self._let_in >= weather.rate:
            return self._since + weather.window - now
        self._let_in += 1
        return None
