"""The checker of histories: it finds each kind of broken promise, and no more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.history import DEADLINE, SETTLED, Event, read, violations, write

#: A content was bought by call 1, which was under way from 10.1 to 10.3, and given to its caller and then to another.
CALL = Event("call", 10.1, 10.3, digest="a", number=1)
BOUGHT = Event("upload", 10.0, 10.4, 0, "a", 200, 1, "a")
HIT = Event("get", 20.0, 20.1, 1, "a", 200, 1, "a")
CLEAR = Event("clear", 15.0, 15.5, 2, status=200, name="*")
#: Another call for the same content, while the first is under way.
SECOND = Event("call", 10.2, 10.5, digest="a", number=2)


def fault(name: str, began: float, ended: float, service: int = -1) -> Event:
    """Something that was done to the fleet."""
    return Event("fault", began, ended, service, name=name)


def asked(what: str, began: float, ended: float, service: int = 1, status: int = 200) -> Event:
    """A request whose answer call 1 bought, or which failed."""
    return Event(what, began, ended, service, "a", status, 1 if status == 200 else 0, "a" if status == 200 else "")


#: Whole histories.
KEPT = {
    "bought and hit": [CALL, BOUGHT, HIT],
    "cleared while it was asked for": [CALL, BOUGHT, CLEAR, asked("get", 15.4, 16)],
    "a clear of something else": [CALL, BOUGHT, Event("clear", 15, 15.5, 2, "b", 200, name="one"), HIT],
    "a clear that failed": [CALL, BOUGHT, Event("clear", 15, 15.5, 2, status=503, name="*"), HIT],
    "a process that is cut off": [CALL, BOUGHT, CLEAR, fault("half-open", 14, 19, 1), HIT],
    "a process that was cut off": [CALL, BOUGHT, CLEAR, fault("half-open", 14, 20 - SETTLED + 0.1, 1), HIT],
    "a process that says that it has no store": [CALL, BOUGHT, CLEAR, Event("away", 14, 19, 1), HIT],
    "a clear that the store has forgotten": [
        *(CALL, BOUGHT, Event("clear", 10.2, 10.25, 2, status=200, name="*"), fault("flush", 10.26, 10.27)),
        HIT,
    ],
    "refreshed by a call under way": [CALL, BOUGHT, asked("refresh", 10.2, 10.4)],
    "bought again after a delete": [CALL, BOUGHT, Event("delete", 10.15, 10.2, 1, "a", 200), SECOND],
    "bought twice in trouble": [fault("reset", 9, 9, 1), CALL, BOUGHT, SECOND],
    "bought twice, one after the other": [CALL, Event("call", 10.3, 10.5, digest="a", number=2)],
    "bought at the same time, another content": [CALL, Event("call", 10.2, 10.5, digest="b", number=2)],
    "no answer of a process that is killed": [fault("kill", 30.1, 31, 1), asked("upload", 30, 30.2, status=0)],
    "no answer of a process that starts": [fault("kill", 30.1, 31, 1), asked("upload", 30.8, 30.9, status=0)],
    "unknown": [asked("get", 30, 30.1, status=404)],
    "a clear that is refused": [asked("clear", 30, 30.1, status=503)],
    "booked": [Event("books", 9, 9, calls=5), CALL, Event("books", 30, 30, calls=6)],
    "lost with its process": [Event("books", 9, 9), CALL, fault("kill", 12, 13, 0), Event("books", 30, 30)],
    "books that were lost": [Event("books", 9, 9, calls=5), fault("flush", 12, 12), Event("books", 30, 30)],
}

#: How often the words are said, of a whole history.
BROKEN = [
    (1, "is about other bytes", [CALL, Event("upload", 11, 12, 1, "b", 200, 1, "a")]),
    (1, "is about other bytes", [CALL, Event("upload", 11, 12, 1, "a", 200, 1, "b")]),
    (1, "but not bought", [CALL, Event("upload", 11, 12, 1, "a", 200, 7, "a")]),
    (1, "but not bought", [CALL, asked("get", 9, 9.5)]),
    (1, "was bought by", [CALL, BOUGHT, CLEAR, HIT]),
    (1, "was bought by", [CALL, BOUGHT, Event("delete", 15, 15.5, 2, "a", 200), HIT]),
    (1, "was bought by", [CALL, BOUGHT, CLEAR, Event("clear", 10, 15.6, 2, status=200), HIT]),
    (1, "was bought by", [CALL, BOUGHT, CLEAR, fault("half-open", 14, 19, 2), HIT]),
    (1, "was bought by", [CALL, BOUGHT, CLEAR, fault("half-open", 14, 20 - SETTLED - 0.1, 1), HIT]),
    (1, "was bought by", [CALL, BOUGHT, CLEAR, fault("flush", 16, 16), HIT]),
    (1, "older than the question", [CALL, BOUGHT, asked("refresh", 15, 15.1)]),
    (1, "while", [CALL, SECOND]),
    (1, "while", [CALL, SECOND, fault("reset", 11, 12)]),
    (
        2,
        "while",
        [CALL, Event("call", 10.15, 10.2, digest="a", number=2), Event("call", 10.25, 11, digest="a", number=3)],
    ),
    (1, "took", [asked("upload", 30, 30.5 + DEADLINE, status=200), CALL]),
    (1, "was not answered", [asked("upload", 30, 30.1, status=503)]),
    (1, "was not answered", [asked("upload", 30, 30.1, status=0), fault("kill", 30, 31, 0)]),
    (1, "was not answered", [asked("get", 30, 30.1, status=500)]),
    (1, "the books tell 0", [Event("books", 9, 9, calls=5), CALL, Event("books", 30, 30, calls=5)]),
    (1, "the books tell 2", [Event("books", 9, 9), CALL, fault("kill", 12, 13, 0), Event("books", 30, 30, calls=2)]),
]


@pytest.mark.parametrize("history", KEPT.values(), ids=KEPT)
def test_what_was_kept_is_not_blamed(history: list[Event]) -> None:
    """A history in which all promises were kept, or broken with an excuse, has no violation."""
    assert violations(history) == []


@pytest.mark.parametrize(("times", "words", "history"), BROKEN)
def test_what_was_broken_is_found(times: int, words: str, history: list[Event]) -> None:
    """A history in which a promise was broken has just these violations, and they say which it was."""
    found = violations(history)
    assert [words in violation for violation in found] == [True] * times


def test_a_history_is_kept_as_it_is(tmp_path: Path) -> None:
    """Events are written as JSON, a line each, and read back the same."""
    events = [CALL, BOUGHT, HIT, CLEAR, fault("kill", 1, 2, 0)]
    write(tmp_path / "history.jsonl", events)
    assert len((tmp_path / "history.jsonl").read_text("utf-8").splitlines()) == len(events)
    assert read(tmp_path / "history.jsonl") == events
