"""The tree of errors that a reader sees is the tree that there is."""

from __future__ import annotations

import inspect
import re

import pytest

from hashcache.core import errors


def drawn() -> dict[str, str]:
    """Each class in the docstring's drawing, and its parent there."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"    ((?:[│ ] {3})*(?:[├└]── )?)([A-Z]\w+)(?: {2,}.*)?", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_is_true() -> None:
    """Each class is drawn under its parent, and nothing is drawn that is not there."""
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    assert drawn() == {name: one.__base__.__name__ for name, one in classes.items()}


@pytest.mark.parametrize("name", drawn())
def test_every_error_says_when_it_is_raised(name: str) -> None:
    """A docstring of its own, and one root for whoever catches all of them."""
    one = getattr(errors, name)
    assert one.__doc__ != one.__base__.__doc__
    assert issubclass(one, errors.HashcacheError)


def test_what_errors_carry() -> None:
    """The facts beside the message that the floors above decide by."""
    assert errors.ContentTooLarge("too large", limit=5).limit == 5
    assert str(errors.EntryRefused("seal")) == "stored entry refused: seal"
    assert errors.StoreUnavailable("away").reason == "unreachable"
    throttled = errors.ProviderThrottled("generic", "later", retry_after=2.5)
    assert (throttled.provider, throttled.retry_after, throttled.possibly_paid) == ("generic", 2.5, False)
    assert errors.ProviderTimeout("generic", "too late", possibly_paid=True).possibly_paid
