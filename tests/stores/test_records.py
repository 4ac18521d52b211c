"""What stores keep of attempts and breakers, as bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account
from hashcache.ports import Attempt, Rules
from hashcache.stores import records
from hashcache.stores.accounting import Lapsed, Noted, Tried
from hashcache.stores.circuit import Circuit

KEY = Key("analysis", "0" * 64, "v")
ONE = Attempt(
    "3f1c", KEY, Account("hive", "image", "default"), MicroDollars(5), Instant(1), Instant(2), "p", ("all|d",)
)
NOTED = Noted(ONE, Rules(3, timedelta(seconds=1), timedelta(hours=1), timedelta(milliseconds=5), 7))
LAPSED = Lapsed.of(NOTED, Instant(9))
CIRCUIT = Circuit(3, Instant(5), "failed", "3f1c", Instant(6))


@given(receipt=some.text(), process=some.text(), charges=some.lists(some.text()), refresh=some.booleans())
def test_an_attempt_comes_back_as_it_was(*, receipt: str, process: str, charges: list[str], refresh: bool) -> None:
    """Whatever a vendor calls its job, and whatever names there are."""
    one = replace(ONE, receipt=receipt, process=process, charges=tuple(charges), refresh=refresh, tries=4)
    noted = replace(NOTED, attempt=one)
    assert records.read_there(records.write_there(noted)) == noted
    assert records.read_lapsed(records.write_lapsed(Lapsed.of(noted, Instant(9)))) == Lapsed.of(noted, Instant(9))


def test_the_rest_comes_back_as_it_was() -> None:
    """Tries in vain, and breakers that are closed, open, or let a probe through."""
    assert records.read_there(records.write_there(Tried(2, Instant(5)))) == Tried(2, Instant(5))
    for circuit in (Circuit(), Circuit(1), CIRCUIT, replace(CIRCUIT, probe="", given_up=Instant(0))):
        assert records.read_circuit(records.write_circuit(circuit)) == circuit


WRITTEN = [
    records.write_there(NOTED),
    records.write_there(Tried(2, Instant(5))),
    records.write_lapsed(LAPSED),
    records.write_circuit(CIRCUIT),
]


@given(some.sampled_from(WRITTEN), some.lists(some.tuples(some.integers(0, 400), some.binary(max_size=3)), max_size=4))
def test_damaged_bytes_are_read_as_something_or_nothing(written: bytes, damage: list[tuple[int, bytes]]) -> None:
    """Never an error, whatever was cut out or put in."""
    for at, raw in damage:
        written = written[:at] + raw + written[at + 1 :]
    for read in (records.read_there, records.read_lapsed, records.read_circuit):
        read(written)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"x":' + b"[" * 100_000, b'{"estimate":1e999}', b"\xff"])
def test_what_is_no_attempt_is_read_as_nothing(body: bytes) -> None:
    """However it is made."""
    head, rules, _, receipt = WRITTEN[0].split(b"\n")
    assert records.read_there(b"\n".join([head, rules, body, receipt])) is None
