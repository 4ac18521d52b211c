"""The arguments of a call by name are those that Python itself would bind."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.integrations.calls import Calls


class Touchy:
    """Compares to nothing, as arrays of numbers do."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]  # as those arrays


def simple(a: Any, b: Any = 1, *, c: Any, d: Any = 2) -> None:
    """Parameters of the usual kinds."""


def most(a: Any, /, b: Any = 1, *rest: Any, c: Any = 3, **more: Any) -> None:
    """Of all kinds."""


def nothing() -> None:
    """No parameters."""


def bound(function: Callable[..., None], args: tuple[int, ...], kwargs: dict[str, int]) -> dict[str, Any]:
    """As Python binds them."""
    found = inspect.signature(function).bind(*args, **kwargs)
    found.apply_defaults()
    return found.arguments


def outcome(bind: Callable[..., dict[str, Any]], args: list[int], kwargs: dict[str, int]) -> object:
    """What *bind* gives, in its order, or the words of its error."""
    try:
        return list(bind(tuple(args), kwargs).items())
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("function", [simple, most, nothing])
@given(args=st.lists(st.integers(), max_size=4), kwargs=st.dictionaries(st.sampled_from("abcde"), st.integers()))
def test_arguments_are_bound_as_python_binds_them(
    function: Callable[..., None], args: list[int], kwargs: dict[str, int]
) -> None:
    """The same names in the same order with the same values, or the same error."""
    calls = Calls(function)
    ours, pythons = (outcome(bind, args, kwargs) for bind in (calls.arguments, partial(bound, function)))
    assert ours == pythons


def test_values_are_not_compared() -> None:
    """Some cannot be."""
    value = Touchy()
    assert Calls(simple).arguments((value,), {"c": value})["a"] is value
