"""How a barrier makes room: what takes whose place, what is dropped and merged, and at whose cost."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.barrier import MOST, NONE, OPEN_FOR, Barrier, Selector, decode, encode
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.invalidation import MERGED
from hashcache.core.key import Key

NOW = Instant(1_000_000_000_000)
PAID = Key("analysis", "9f" * 32, "v"), Label("image", "acme", "shop", ("t1",))
TEXT = Key("text", "9f" * 32, "v"), Label("text", "acme", "shop")
OURS = Key("app", "agents:1:$", "all"), Label("pages", "all", "app", ("t1",))
OTHERS = Key("app", "lists:1:$", "all"), Label("lists", "all", "app")
#: As the library makes them.
TAGS = tuple(Selector(pattern="app:*", tag=f"t{number}") for number in range(3 * MOST))
KINDS = tuple(Selector(pattern="app:*", kind=kind) for kind in ("pages", "lists", "dashboards"))


def entry(what: tuple[Key, Label], sequence: int) -> Entry:
    """*what*, bought under the barrier's *sequence*."""
    return Entry(*what, b"{}", sequence, Instant(0), Instant(1))


def raised(selectors: Iterable[Selector], since: Barrier = NONE, *, swept: bool = False) -> Barrier:
    """The barrier after *selectors*, one after the other."""
    for selector in selectors:
        since = since.raised(selector, now=NOW, reason="r")
        if swept:
            since = since.progressed(since.sequence, deleted=0, swept=True)
    return since


def test_the_same_again_takes_its_own_place() -> None:
    """However often, one is open; it forbids what was bought since the first, and who knew that has lost nothing."""
    once = raised([KINDS[0]])
    often = raised([KINDS[0]] * 1000, once)
    assert [(one.sequence, one.first) for one in often.open] == [(1001, 1)]
    assert [often.forbids(entry(OURS, sequence)) for sequence in (0, 1, 1000, 1001)] == [True, True, True, False]
    assert often.remembers(once)
    assert often.restored(once, now=NOW) is often
    assert once.restored(often, now=NOW).forbids(entry(OURS, 1000))
    assert not often.refuses(entry(PAID, 0))


def test_a_wider_one_takes_the_place_of_narrower_ones() -> None:
    """And of nothing else; who asks how far an earlier one is hears of the one that has taken its place."""
    barrier = raised([*TAGS[:5], KINDS[0], Selector(kind="image"), Selector(pattern="app:*")])
    assert [(one.sequence, one.first) for one in barrier.open] == [(7, 0), (8, 1)]
    assert [found.sequence for found in map(barrier.find, range(1, 9)) if found] == [8, 8, 8, 8, 8, 8, 7, 8]
    assert barrier.find(9) is None


@pytest.mark.parametrize("swept", [False, True])
def test_what_an_application_forgets_costs_nobody_else(swept: bool) -> None:  # noqa: FBT001 - a column
    """
    A thousand different tags, swept or not: what lies in other spaces is neither forbidden nor refused, however old;
    who was away forgets nothing of theirs. Of its own space no more than that is lost.
    """
    tags = [Selector(pattern="app:*", tag=f"o{number}") for number in range(1000)]
    barrier = raised(tags, swept=swept)
    assert len(barrier.open) <= MOST
    for what in (PAID, TEXT):
        assert not barrier.refuses(entry(what, 0))
    assert barrier.refuses(entry(OTHERS, 0))  # a run that was under way all the time: nobody can tell any more
    assert barrier.forbids(entry(OTHERS, 0)) is not swept
    younger = barrier.since(1)
    assert younger is not None
    assert not any(one.selector.matches(entry(PAID, 0)) for one in younger)
    assert any(one.selector.matches(entry(OTHERS, 0)) for one in younger)


def test_what_takes_a_place_is_later_whatever_the_clocks_say() -> None:
    """Those of two processes differ: nobody takes the first one for lost."""
    once = NONE.raised(KINDS[0], now=Instant(NOW + 500), reason="r")
    twice = once.raised(KINDS[0], now=NOW, reason="r")
    assert twice.remembers(once)


def test_an_older_clear_does_not_stand_for_one_of_another_history() -> None:
    """
    The record was lost, and entries were not; then the same was cleared again. What was bought in between is dead,
    although who remembers the first record knows a clear of a higher sequence.
    """
    known = raised([Selector(kind="image")] * 5)
    fallen = NONE.raised(Selector(kind="image"), now=Instant(NOW + OPEN_FOR), reason="r")
    restored = fallen.restored(known, now=Instant(NOW + OPEN_FOR))
    assert restored.forbids(entry(PAID, 5))


def test_what_is_most_alike_is_merged() -> None:
    """Tags of one type become that type; the newest is last, and both are to be swept."""
    pages = [Selector(pattern="app:*", kind="pages", tag=f"t{number}") for number in range(MOST)]
    full = raised(pages)
    assert [one.sequence for one in full.begun()] == [MOST]
    barrier = full.raised(KINDS[1], now=NOW, reason="r")
    assert [(one.sequence, one.selector, one.reason) for one in barrier.open] == [
        (MOST + 1, KINDS[0], MERGED),
        (MOST + 2, KINDS[1], "r"),
    ]
    assert list(barrier.begun()) == list(barrier.open)
    assert [barrier.forbids(entry(OURS, sequence)) for sequence in (MOST, MOST + 1)] == [True, False]
    assert barrier.remembers(full)
    assert full.restored(barrier, now=NOW).forbids(entry(OURS, MOST))


def test_what_is_not_alike_becomes_all_of_its_space() -> None:
    """So many users, a selector each."""
    barrier = raised(Selector(pattern="app:*", tenant=f"u{number}") for number in range(MOST + 1))
    assert [(one.sequence, one.selector) for one in barrier.open] == [(MOST + 1, Selector(pattern="app:*"))]


def test_administrators_who_make_up_spaces_end_at_everything() -> None:
    """The record stays bounded; that loses answers, never correctness."""
    barrier = raised(Selector(pattern=f"s{space}:{number}") for space in range(9) for number in range(MOST))
    assert len(barrier.open) <= 4 * MOST
    assert barrier.forbids(entry(PAID, 0))
    swept = raised((Selector(pattern=f"s{space}:{at}") for at in range(MOST + 1) for space in range(9)), swept=True)
    assert len(swept.floors) <= 8
    assert swept.refuses(entry((Key("s0", "x", "v"), PAID[1]), 0))


def test_who_has_taken_a_place_is_swept_for_those_whose_it_was() -> None:
    """
    So many tags that they become one selector for all of them. Once that is swept, and dropped because others came,
    what they meant is removed, and forbidden no longer; a run that was under way is not kept.
    """
    full = raised(TAGS[:MOST])
    barrier = full.raised(TAGS[MOST], now=NOW, reason="r")
    (merged,) = barrier.begun()
    assert merged.selector.matches(entry(OURS, 0))
    barrier = barrier.progressed(merged.sequence, deleted=1, swept=True)
    assert barrier.forbids(entry(OURS, 0))
    dropped = raised(TAGS[MOST + 1 : 2 * MOST + 2], barrier, swept=True)
    assert not dropped.forbids(entry(OURS, 0))
    assert dropped.refuses(entry(OURS, 0))
    assert dropped.remembers(full)


def test_how_large_the_record_becomes() -> None:
    """Every lookup reads it: with as many as are kept of an application's tags some 9 kB, not more."""
    reason = "app.agents.rename was called"
    barrier = NONE
    for number in range(MOST):
        selector = Selector(pattern="app:*", tag=f"organisation:{number:08}")
        barrier = barrier.raised(selector, now=NOW, reason=reason)
    assert len(encode(barrier)) <= 9_000


WIDE = st.sampled_from([Selector(kind="image"), Selector(tag="t1"), Selector(pattern="analysis:*"), Selector()])
ACTS = st.lists(
    st.tuples(
        st.sampled_from(TAGS) | st.sampled_from(KINDS) | WIDE, st.sampled_from([0, 0, 0, OPEN_FOR]), st.booleans()
    ),
    max_size=8,
)
#: Runs of different tags, so that room is short: (from, how many, swept).
FLOODS = st.tuples(st.integers(0, MOST), st.sampled_from([0, 3, MOST, MOST + 5]), st.booleans())


@given(st.lists(st.tuples(ACTS, FLOODS), max_size=2), st.data())
def test_forbidden_is_what_was_meant_and_what_had_to_be_merged(
    rounds: list[tuple[list[tuple[Selector, int, bool]], tuple[int, int, bool]]], data: st.DataObject
) -> None:
    """
    Against a plain list of all that was ever invalidated: what was meant since its birth is forbidden, until a sweep
    has removed it, its own or that of what has taken its place, and then refused or forbidden at its commit; beyond,
    only the application's own space may suffer. It is so for who knew any earlier state, too, and when the store falls
    back to one.
    """
    acts: list[tuple[Selector, int, bool]] = []
    for some, (first, many, swept) in rounds:
        acts += [*some, *((tag, 0, swept) for tag in TAGS[first : first + many])]
    now, history, swept, barriers = NOW, list[tuple[int, Selector]](), list[tuple[int, Selector]](), [NONE]
    for selector, later, sweep in acts:
        now = Instant(now + later)
        barrier = barriers[-1].raised(selector, now=now, reason="r")
        history.append((barrier.sequence, selector))
        if sweep:
            swept += [(one.sequence, one.selector) for one in barrier.open if one.sequence == barrier.sequence]
            barrier = barrier.progressed(barrier.sequence, deleted=0, swept=True)
        barriers.append(barrier)
    last = barriers[-1]
    earlier = data.draw(st.sampled_from(barriers))
    assert decode(encode(last)) == last
    assert last.remembers(earlier)
    assert len([one for one in last.open if one.selector.space == "app"]) <= MOST
    restored = earlier.restored(last, now=now)
    for what in (PAID, TEXT, OURS, OTHERS):
        for sequence in {earlier.sequence, *data.draw(st.lists(st.sampled_from([one.sequence for one in barriers])))}:
            bought = entry(what, sequence)
            meant = any(at > sequence and one.matches(bought) for at, one in history)
            removed = any(at > sequence and one.matches(bought) for at, one in swept)
            for barrier in (last, restored):
                assert barrier.forbids(bought) or removed or not meant
                assert barrier.refuses(bought) or not meant
            if what in (PAID, TEXT):
                assert meant or not last.forbids(bought)
