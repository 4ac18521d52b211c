"""
Whether a route changed its visitor's session: then its answer is that visitor's own.

Rule: who sends the session back to the visitor (Set-Cookie) does it after the cache has seen the answer. So a change is
      looked for where it is made: in what the session says of itself, or else in what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Watch:
    """What is known of a session after a route ran: whether that *changed* it."""

    def __init__(self) -> None:
        self.changed = False


@contextmanager
def watched(session: Any) -> Iterator[Watch]:
    """
    Watch *session*, a mapping with a `modified` of its own or without, or None, while a route runs. What had changed it
    before does not count, and is not forgotten.
    """
    watch = Watch()
    if session is None:
        yield watch
        return
    before, had_changed = dict(session), getattr(session, "modified", None)
    if had_changed:
        session.modified = False
    try:
        yield watch
    finally:
        watch.changed = bool(getattr(session, "modified", False)) or dict(session) != before
        if had_changed:
            session.modified = True
