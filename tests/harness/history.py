"""
What happened to a fleet, as a list of events, and whether it kept its promises.

    upload   |----------------|  200, call 7                 an answer: which call bought it, of which bytes
    clear            |----|      200
    call 7   |---|                                           what the vendor saw
    fault                   |------|  half-open, service 1   what was done to the fleet

Rule 1: an event has a beginning and an end on one monotonic clock. What lies between is not known more exactly, so
        only what follows from any order within is a violation.
Rule 2: what a fault may excuse is said in each rule, and only for those whom it hit, until it is over and SETTLED
        seconds more have passed. Nothing else is excused.
Rule 3: everything here is pure; histories are kept as JSON, a line for each event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

#: For how many seconds after a fault its effects may last: the store is tried again, the channel is made anew.
SETTLED = 3.0
#: No request takes longer, in seconds: a lease, the vendor's time, a frozen process, and each wait on the way.
DEADLINE = 15.0
#: The clocks of a vendor and a store may tell the end of a purchase so many seconds apart: a busy machine.
APART = 1.0
EVERYBODY = -1
BUYING = frozenset({"upload", "refresh", "no-store"})
FORGETTING = frozenset({"clear", "delete"})
#: Faults that end a process or lose what the store knew.
DEADLY, FORGETFUL = frozenset({"kill"}), frozenset({"flush"})


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One event. *what*: `upload`, `refresh`, `no-store`, `get`, `delete`, `clear` (what somebody asked of *service*),
    `call` (the vendor's), `fault` (*name*, on *service* or everybody), `away` (*service* said that it had no store),
    `books` (how many *calls* they tell).

    *digest* is the content's; a clear without one means all. *status* 0: no answer came. *number* is the call that
    bought the answer, *told* the digest that the vendor had seen then; of a refusal, the problem.
    """

    what: str
    began: float
    ended: float
    service: int = EVERYBODY
    digest: str = ""
    status: int = 0
    number: int = 0
    told: str = ""
    name: str = ""
    calls: int = 0

    def meets(self, began: float, ended: float) -> bool:
        """Whether some of it lies between these instants."""
        return self.began <= ended and began <= self.ended

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


def write(path: Path, events: Iterable[Event]) -> None:
    """Keep *events* in the file *path*."""
    path.write_bytes(msgspec.json.Encoder().encode_lines(list(events)))


def read(path: Path) -> list[Event]:
    """The events in the file *path*."""
    return msgspec.json.Decoder(Event).decode_lines(path.read_bytes())


def violations(events: Sequence[Event]) -> list[str]:
    """What was promised and not kept, a sentence each; none is what one hopes for."""
    history = _History(events)
    rules: tuple[Callable[[], Iterator[str]], ...] = (
        history.of_other_bytes,
        history.cleared,
        history.not_refreshed,
        history.bought_twice,
        history.not_answered,
        history.not_booked,
    )
    return [violation for rule in rules for violation in rule()]


def calm(events: Sequence[Event]) -> float:
    """The share of the vendor's calls that began while nothing could be excused: what the rules were held to."""
    calls = [one for one in events if one.what == "call"]
    troubles = [one for one in events if one.what in {"fault", "away"}]
    held = sum(not any(one.meets(call.began - SETTLED, call.ended) for one in troubles) for call in calls)
    return held / max(1, len(calls))


def _later(one: Event, two: Event) -> Event:
    """The one that began later."""
    return one if one.began > two.began else two


class _History:
    """The rules over *events*, each as a generator of its violations."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._asked = [one for one in events if one.what in BUYING | FORGETTING | {"get"}]
        self._answers = [one for one in self._asked if one.number]
        self._calls = {one.number: one for one in events if one.what == "call"}
        self._troubles = [one for one in events if one.what in {"fault", "away"}]
        self._books = sorted((one for one in events if one.what == "books"), key=lambda one: one.began)

    def of_other_bytes(self) -> Iterator[str]:
        """An answer belongs to the bytes that were sent, and was bought before it was given."""
        for answer in self._answers:
            call = self._calls.get(answer.number)
            if call is None or call.began > answer.ended:
                yield f"{answer} was given, but not bought"
            elif not answer.digest == answer.told == call.digest:
                yield f"{answer} is about other bytes: {call}"

    def cleared(self) -> Iterator[str]:
        """
        Whoever asks after a clear or delete returned is given nothing that was bought before it began.

        Excused: a process that is cut off from the store. And what was being bought then, once the store has lost what
        it knew of clears.
        """
        forgotten: dict[str, list[Event]] = defaultdict(list)
        for one in self._asked:
            if one.what in FORGETTING and one.status in {200, 202}:
                forgotten[one.digest].append(one)
        ends: dict[str, list[float]] = {}
        latest: dict[str, list[Event]] = {}
        for digest in {answer.digest for answer in self._answers}:
            ordered = sorted(forgotten[digest] + forgotten[""], key=lambda one: one.ended)
            ends[digest] = [one.ended for one in ordered]
            latest[digest] = list(accumulate(ordered, _later))
        for answer in self._answers:
            before = bisect_left(ends[answer.digest], answer.began)
            call = self._calls.get(answer.number)
            if not before or call is None:
                continue
            clear = latest[answer.digest][before - 1]
            if call.began >= clear.began or self._troubled(answer.began, answer.ended, answer.service):
                continue
            if (call.ended >= clear.began or self._troubled(call.began, call.ended)) and any(
                one.name in FORGETFUL and one.meets(clear.began, answer.ended) for one in self._troubles
            ):
                continue
            yield f"{answer} was bought by {call}, before {clear}"

    def not_refreshed(self) -> Iterator[str]:
        """A forced refresh gives what was bought, or was being bought, after it was asked for."""
        for answer in self._answers:
            call = self._calls.get(answer.number)
            if answer.what == "refresh" and call is not None and call.ended < answer.began - APART:
                yield f"{answer} is older than the question: {call}"

    def bought_twice(self) -> Iterator[str]:
        """
        Of one content one call is under way at a time in the whole fleet.

        Excused: trouble between the beginnings of the two, and what was cleared between them.
        """
        by_digest: dict[str, list[Event]] = defaultdict(list)
        for call in sorted(self._calls.values(), key=lambda one: one.began):
            by_digest[call.digest].append(call)
        forgets = [one for one in self._asked if one.what in FORGETTING]
        for digest, calls in by_digest.items():
            meant = [one for one in forgets if one.digest in {"", digest}]
            open_: list[Event] = []
            for second in calls:
                open_ = [first for first in open_ if first.ended > second.began]
                for first in open_:
                    excused = any(one.meets(first.began, second.began) for one in meant)
                    if not excused and not self._troubled(first.began, second.began):
                        yield f"{second} was bought while {first} was under way"
                open_.append(second)

    def not_answered(self) -> Iterator[str]:
        """
        Every request ends by its deadline, and every upload is answered, also while the store is away.

        Excused, for the answer alone: that the process was killed, frozen, or is starting; and that two calls for the
        same content have died under way, or seem to: then no third one is made for a while, as docs/errors.md says.
        """
        for one in self._asked:
            if one.ended - one.began > DEADLINE:
                yield f"{one} took {one.ended - one.began:.1f} s"
            well = {200} if one.what in BUYING else {200, 202, 404} if one.what == "get" else {200, 202, 503}
            if one.status not in well and one.told != "outcome-unknown" and not self._dead(one):
                yield f"{one} was not answered"

    def not_booked(self) -> Iterator[str]:
        """
        From one look into the books to the next they grow by just the calls that the vendor has seen.

        Excused: books that were lost; and a process that was killed, with what it had not booked.
        """
        for last, this in pairwise(self._books):
            between = [one for one in self._troubles if one.meets(last.ended, this.began)]
            seen = sum(last.ended <= call.began < this.began for call in self._calls.values())
            booked = this.calls - last.calls
            if any(one.name in FORGETFUL for one in between):
                continue
            if booked > seen or (booked < seen and not any(one.name in DEADLY for one in between)):
                yield f"the vendor saw {seen} calls, the books tell {booked}: {last}, {this}"

    def _troubled(self, began: float, ended: float, service: int = EVERYBODY) -> bool:
        """Whether there was trouble between these instants, for *service* or for anybody."""
        return any(
            (service == EVERYBODY or one.service in {EVERYBODY, service}) and one.meets(began - SETTLED, ended)
            for one in self._troubles
        )

    def _dead(self, asked: Event) -> bool:
        """Whether the process that was asked may have been killed or frozen meanwhile."""
        return any(
            one.name in {"kill", "freeze"} and one.service == asked.service and one.meets(asked.began, asked.ended)
            for one in self._troubles
        )
