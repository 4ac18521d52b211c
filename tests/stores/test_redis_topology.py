"""What a node tells of its cluster, read and kept; and whom to ask for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hashcache.core.errors import StoreUnavailable
from hashcache.stores.redis.address import Address
from hashcache.stores.redis.cluster.seeds import seeds_of
from hashcache.stores.redis.cluster.survey import first_of
from hashcache.stores.redis.cluster.topology import Topology, slot_of

HERE = ("10.0.0.1", 7000)
REPLY = [
    [5461, 10922, [b"b", 7001, b"id-b", []], [b"r", 7003, b"id-r", []]],
    [0, 5460, [b"", 7000, b"id-a", []]],
    [10923, 16383, [None, 7002, b"id-c", []], [b"?", 7004, b"id-s", []]],
]


def test_slots_are_those_of_the_specification() -> None:
    """CRC16 of 123456789 is 0x31C3 (its appendix A); between braces counts alone, unless there is nothing."""
    assert slot_of("123456789") == 0x31C3
    assert slot_of("a{123456789}b{c}") == slot_of(b"123456789")
    assert slot_of("{}123456789") != 0x31C3


def test_each_slot_has_its_owner() -> None:
    """From the first to the last one of each range; a node without a host is where the answer came from."""
    topology = Topology.parse(REPLY, HERE)
    a, b, c = ("10.0.0.1", 7000), ("b", 7001), ("10.0.0.1", 7002)
    assert [topology.owner(slot) for slot in (0, 5460, 5461, 10922, 10923, 16383)] == [a, a, b, b, c, c]
    assert topology.masters == (a, c, b)
    assert topology.everybody == (a, c, b, ("10.0.0.1", 7004), ("r", 7003))
    assert topology.slots(b) == set(range(5461, 10923))


def test_a_slot_that_nobody_has() -> None:
    """Between, before and after the ranges."""
    topology = Topology.parse([[10, 19, [b"a", 1, b"x"]], [30, 39, [b"b", 2, b"y"]]], HERE)
    assert [topology.owner(slot) for slot in (9, 20, 29, 40)] == [None] * 4
    assert [topology.owner(slot) for slot in (10, 19, 30, 39)] == [("a", 1), ("a", 1), ("b", 2), ("b", 2)]


def test_what_an_answer_told_counts() -> None:
    """A slot that was moved is elsewhere, also at a node that had none; the topology is another one then."""
    before = Topology.parse(REPLY, HERE)
    after = before.told(5461, ("new", 1))
    assert after.owner(5461) == ("new", 1)
    assert after.owner(5462) == ("b", 7001)
    assert ("new", 1) in after.masters
    assert after.slots(("new", 1)) == {5461}
    assert after.slots(("b", 7001)) == set(range(5462, 10923))
    assert after.signature != before.signature


def test_the_signature_is_that_of_the_slots() -> None:
    """The same in whatever order the answer came, another one when another node has taken a name over."""
    assert Topology.parse(REPLY[::-1], HERE).signature == Topology.parse(REPLY, HERE).signature
    other = [[*one[:2], [one[2][0], one[2][1], b"id-new"]] for one in REPLY]
    assert Topology.parse(other, HERE).signature != Topology.parse(REPLY, HERE).signature


@pytest.mark.parametrize("reply", [[], None, b"OK", [[1, 2]], [[1, 2, 3]], [[b"x", 2, [b"a", 1]]], [[0, 1, [b"a"]]]])
def test_what_is_no_topology(reply: object) -> None:
    """Whatever a server that is no node answers is refused."""
    with pytest.raises(ValueError, match=r"not an answer to CLUSTER SLOTS|without slots"):
        Topology.parse(reply, HERE)


def test_seeds_share_user_and_certificates() -> None:
    """Each with its own host and port (6379 unless it says so), all as one user, over one TLS context."""
    one, other = seeds_of("rediss+cluster://me:p%40w@a:7000,[::1]/0")
    assert (one.host, one.port, other.host, other.port) == ("a", 7000, "::1", 6379)
    assert (one.username, one.password) == (other.username, other.password) == ("me", "p@w")
    assert one.tls is other.tls is not None


async def test_the_first_that_answers_is_believed() -> None:
    """One that fails is passed over at once, one that is silent after a moment; it is not waited for at the end."""
    topology, silent = Topology.parse(REPLY, HERE), asyncio.Event()
    asked: list[str] = []

    async def ask(address: Address) -> Topology:
        asked.append(address.host)
        if address.host == "silent":
            await silent.wait()
        if address.host == "gone":
            raise StoreUnavailable("gone", reason="unreachable")
        return topology

    seeds = seeds_of("redis+cluster://gone,silent,good,unasked")
    async with asyncio.timeout(timedelta(seconds=5).total_seconds()):
        assert await first_of(seeds, ask, stagger=0.01) is topology
    assert asked == ["gone", "silent", "good"]


async def test_when_nobody_answers_the_reason_is_told() -> None:
    """That of the last that was asked."""

    async def ask(address: Address) -> Topology:
        raise StoreUnavailable(address.host, reason=address.host)

    with pytest.raises(StoreUnavailable) as caught:
        await first_of(seeds_of("redis+cluster://unreachable,auth"), ask)
    assert caught.value.reason == "auth"
