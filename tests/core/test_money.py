"""Money is counted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.errors import MoneyError
from hashcache.core.money import decimal, dollars


@given(st.integers(0, 10**15))
def test_an_amount_written_is_read_back(amount: int) -> None:
    """Every amount has a decimal text, without a superfluous zero, that means just it."""
    text = decimal(amount)
    assert dollars(text) == amount
    assert "e" not in text
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("text", "amount", "written"),
    [
        ("0", 0, "0"),
        ("0.00", 0, "0"),
        ("0.01", 10_000, "0.01"),
        (" 25 ", 25_000_000, "25"),
        ("0.000001", 1, "0.000001"),
        ("1.50", 1_500_000, "1.5"),
        ("1e-2", 10_000, "0.01"),
        ("1000000000", 10**15, "1000000000"),
    ],
)
def test_amounts(text: str, amount: int, written: str) -> None:
    """As read, and as written."""
    assert dollars(text) == amount
    assert decimal(amount) == written


def test_a_difference_may_be_negative() -> None:
    """What was saved after the store's own cost can be less than nothing."""
    assert decimal(-1_250_000) == "-1.25"
    assert decimal(-1) == "-0.000001"


@pytest.mark.parametrize(
    "text", ["", "a lot", "-0.01", "0.0000001", "1000000001", "nan", "inf", "$1", "1,5", "1e99999"]
)
def test_what_is_no_amount(text: str) -> None:
    """No number, negative, too large or finer than a micro-dollar: refused."""
    with pytest.raises(MoneyError):
        dollars(text)


def test_sums_are_exact() -> None:
    """A hundred thousand calls at a tenth of a cent cost a hundred dollars, to the micro-dollar."""
    assert decimal(sum(dollars("0.001") for _ in range(100_000))) == "100"
