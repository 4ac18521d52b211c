"""What an invalidation forbids, and for how long that is remembered. How it makes room: test_barrier_room.py."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.barrier import (
    LOST,
    MOST,
    NONE,
    OPEN_FOR,
    Barrier,
    Epoch,
    Invalidation,
    Selector,
    decode,
    encode,
)
from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.errors import EntryRefused, PatternError
from hashcache.core.key import Key
from hashcache.core.money import FREE

KEY = Key("analysis", "9f" * 32, "v")
LABEL = Label("image", "acme", "generic", ("campaign", "eu"))
NOW = Instant(1_000_000_000_000)


def entry(sequence: int, label: Label = LABEL) -> Entry:
    """An entry bought under the barrier's *sequence*."""
    return Entry(KEY, label, b"{}", sequence, Instant(0), Instant(1))


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        (Selector(), True),
        (Selector(pattern="*"), True),
        (Selector(pattern="analysis:*"), True),
        (Selector(pattern="text:*"), False),
        (Selector(kind="image"), True),
        (Selector(kind="video"), False),
        (Selector(tenant="acme"), True),
        (Selector(tenant="acm"), False),
        (Selector(provider="generic"), True),
        (Selector(provider="other"), False),
        (Selector(tag="eu"), True),
        (Selector(tag="us"), False),
        (Selector(pattern="analysis", kind="image", tenant="acme", provider="generic", tag="campaign"), True),
        (Selector(kind="image", tenant="other"), False),
        (Selector(pattern="text:*", kind="image"), False),
    ],
    ids=str,
)
def test_a_selector_means_what_matches_all_its_fields(selector: Selector, meant: bool) -> None:  # noqa: FBT001 -- a column
    """An entry and its head alike; no field set means every entry."""
    head = Head(KEY, LABEL, 0, Instant(0), Instant(1), FREE, 2)
    assert selector.matches(entry(0)) is meant
    assert selector.matches(head) is meant
    assert selector.among([entry(0), entry(1)]) == ([entry(0), entry(1)] if meant else [])


@pytest.mark.parametrize("fields", [{"pattern": ""}, {"pattern": "\n"}, {"kind": ""}, {"tag": "x" * 129}])
def test_selectors_that_are_refused(fields: dict[str, str]) -> None:
    """What can mean nothing is no selector."""
    with pytest.raises(PatternError):
        Selector(**fields)


def test_selectors_in_the_log() -> None:
    """As text a selector says what it means, and `*` for everything."""
    assert str(Selector()) == "*"
    assert str(Selector(pattern="a*", tenant="acme")) == "pattern=a* tenant=acme"


def test_only_what_is_older_is_forbidden() -> None:
    """What was bought under an older sequence is dead, also if it is committed later; what comes after lives."""
    barrier = Barrier(7).raised(Selector(), now=NOW, reason="test")
    assert barrier.sequence == 8
    assert barrier.forbids(entry(7))
    assert not barrier.forbids(entry(8))


def test_each_open_selector_counts_from_its_own_sequence() -> None:
    """An invalidation of videos does not kill an image that was bought between two invalidations of images."""
    barrier = NONE.raised(Selector(kind="image"), now=NOW, reason="1").raised(
        Selector(kind="video"), now=NOW, reason="2"
    )
    assert [barrier.forbids(entry(sequence)) for sequence in (0, 1, 2)] == [True, False, False]
    video = Label("video", "acme", "generic")
    assert [barrier.forbids(entry(sequence, video)) for sequence in (0, 1, 2)] == [True, True, False]


def test_an_invalidation_stays_open_until_it_is_swept_and_no_purchase_can_be_under_way() -> None:
    """Neither time alone nor the sweep alone closes it; both together do, at the next one."""
    raised = NONE.raised(Selector(kind="image"), now=NOW, reason="1")
    swept = raised.progressed(1, deleted=5, swept=True)
    late = Instant(NOW + OPEN_FOR)

    def sequences(barrier: Barrier, now: int) -> list[int]:
        return [one.sequence for one in barrier.raised(Selector(tag="x"), now=Instant(now), reason="2").open]

    assert sequences(raised, late) == [1, 2]
    assert sequences(swept, late - 1) == [1, 2]
    assert sequences(swept, late) == [2]


def test_progress_is_noted() -> None:
    """How many are deleted and whether it is done stands in the barrier; what is not open is left alone."""
    barrier = NONE.raised(Selector(), now=NOW, reason="why")
    assert [one.sequence for one in barrier.unswept()] == [1]
    assert barrier.progressed(9, deleted=1, swept=True) == barrier
    barrier = barrier.progressed(1, deleted=3, swept=True)
    found = barrier.find(1)
    assert found is not None
    assert (found.deleted, found.swept, found.reason, found.at) == (3, True, "why", NOW)
    assert list(barrier.unswept()) == []
    assert barrier.find(2) is None


def test_what_was_swept_makes_room_early() -> None:
    """Many invalidations cost nobody else's answers; only purchases older than the dropped ones are refused."""
    barrier = NONE
    for number in range(3 * MOST):
        barrier = barrier.raised(Selector(tag=f"t{number}"), now=NOW, reason="r")
        barrier = barrier.progressed(barrier.sequence, deleted=0, swept=True)
    assert len(barrier.open) == MOST
    assert barrier.floor == 2 * MOST
    assert not barrier.forbids(entry(0))
    assert barrier.refuses(entry(2 * MOST - 1))
    assert not barrier.refuses(entry(2 * MOST))


def test_a_purchase_that_was_forbidden_is_refused_although_its_selector_is_dropped() -> None:
    """Frozen for hours, then committed: nobody can tell any more, so it is not stored."""
    barrier = NONE.raised(Selector(kind="image"), now=NOW, reason="r").progressed(1, deleted=0, swept=True)
    later = barrier.raised(Selector(tag="x"), now=Instant(NOW + OPEN_FOR), reason="r")
    assert not later.forbids(entry(0))
    assert later.refuses(entry(0))
    assert not later.refuses(entry(1))


def test_whoever_was_away_learns_what_he_missed_or_that_he_cannot() -> None:
    """Selectors younger than the last sequence seen; None when one of them was dropped meanwhile."""
    barrier = NONE.raised(Selector(kind="image"), now=NOW, reason="r").progressed(1, deleted=0, swept=True)
    barrier = barrier.raised(Selector(tag="x"), now=Instant(NOW + OPEN_FOR), reason="r")
    assert barrier.since(0) is None
    younger = barrier.since(1)
    assert younger is not None
    assert [one.sequence for one in younger] == [2]
    assert barrier.since(2) == ()


def test_too_many_open_selectors_collapse_into_everything() -> None:
    """The barrier stays small; what it loses is answers, never correctness."""
    barrier = NONE
    for number in range(MOST):
        barrier = barrier.raised(Selector(tag=f"t{number}"), now=NOW, reason="r")
    assert len(barrier.open) == MOST
    assert not barrier.forbids(entry(0))
    barrier = barrier.raised(Selector(tag="one more"), now=NOW, reason="r")
    assert [(one.sequence, one.selector) for one in barrier.open] == [(MOST + 1, Selector())]
    assert barrier.forbids(entry(MOST))
    assert not barrier.forbids(entry(MOST + 1))
    assert barrier.since(0) is not None


WORDS = st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"), min_size=1, max_size=5)
SELECTORS = st.sampled_from([Selector(), Selector(kind="image"), Selector(tag="eu"), Selector(kind="a")]) | st.builds(
    Selector, *[st.none() | WORDS] * 5
)
#: A provider's name: its epoch is raised.
PROVIDERS = st.sampled_from(["generic", "c"])
Act = tuple[Selector | str, int, bool]
ACTS: st.SearchStrategy[list[Act]] = st.lists(
    st.tuples(SELECTORS | PROVIDERS, st.integers(0, 3 * OPEN_FOR), st.booleans()), max_size=8
)  # (raise this, this much later, and sweep it)


#: What some of the selectors mean.
LABELS = (LABEL, Label("a", "b", "c", ("a",)))


def played(acts: list[Act], *, since: Barrier = NONE, now: Instant = NOW) -> list[Barrier]:
    """The barriers that came of *acts*, one after the other, *since* that one, from *now* on."""
    barriers = [since]
    for meant, later, sweep in acts:
        now = Instant(now + later)
        if isinstance(meant, str):
            barrier = barriers[-1].advanced(meant, now=now, reason="r")
        else:
            barrier = barriers[-1].raised(meant, now=now, reason="r")
        barriers.append(barrier.progressed(barrier.sequence, deleted=0, swept=True) if sweep else barrier)
    return barriers


@given(ACTS)
def test_a_barrier_survives_being_stored(acts: list[Act]) -> None:
    """Encoded and decoded it is the same."""
    for barrier in played(acts):
        assert decode(encode(barrier)) == barrier


@given(ACTS, st.integers(0, 8))
def test_what_is_forbidden_stays_forbidden_until_swept(acts: list[Act], sequence: int) -> None:
    """Without a sweep, no later invalidation brings back what an earlier one has killed."""
    one, dead = entry(sequence), False
    barriers = played([(meant, later, False) for meant, later, _ in acts])
    for barrier in [one for one in barriers if one.sequence >= sequence]:
        assert barrier.forbids(one) or not dead
        dead = barrier.forbids(one)


@given(ACTS, st.integers(0, 12))
def test_what_is_above_the_barrier_is_dead(acts: list[Act], sequence: int) -> None:
    """An entry of a time that the barrier knows nothing of is neither served nor stored."""
    for barrier in played(acts):
        above = sequence > barrier.sequence
        assert barrier.forbids(entry(sequence)) or not above
        assert barrier.refuses(entry(sequence)) or not above


@given(ACTS, st.integers(0, 8))
def test_no_barrier_seems_lost_to_who_saw_an_earlier_one(acts: list[Act], at: int) -> None:
    """Whatever was raised, swept and dropped since: nothing is put back."""
    barriers = played(acts)
    known = barriers[min(at, len(barriers) - 1)]
    for later in barriers[min(at, len(barriers) - 1) :]:
        assert later.remembers(known)
        assert later.restored(known, now=NOW) is later


@given(ACTS, st.integers(0, 8), ACTS)
def test_what_was_forbidden_is_so_again_when_the_barrier_was_lost(acts: list[Act], back: int, more: list[Act]) -> None:
    """
    It falls back to any earlier one, or to none, and may go on from there: what is put back forbids and refuses all
    that either did, seems lost to nobody who knew either, and is put back once.
    """
    *_, known = barriers = played(acts)
    fallen = played(more, since=barriers[min(back, len(barriers) - 1)], now=Instant(NOW + 100 * OPEN_FOR))[-1]
    restored = fallen.restored(known, now=NOW)
    if fallen.remembers(known):
        return
    for sequence, label in itertools.product(range(restored.sequence + 1), LABELS):
        bought = entry(sequence, label)
        for barrier in (known, fallen):
            if sequence <= barrier.sequence:
                assert restored.forbids(bought) or not barrier.forbids(bought)
                assert restored.refuses(bought) or not barrier.refuses(bought)
    assert restored.sequence >= max(known.sequence, fallen.sequence)
    for provider in ("generic", "c"):
        assert restored.epoch(provider) >= max(known.epoch(provider), fallen.epoch(provider))
    assert restored.remembers(known)
    assert restored.remembers(fallen)
    assert restored.restored(known, now=NOW) is restored
    assert not any(one.swept for one in restored.open)


def test_a_barrier_that_was_only_lost_is_put_back_as_it_was() -> None:
    """No answer is lost by it, and what was removed once is removed again: it may have come back as well."""
    known = NONE.raised(Selector(kind="image"), now=NOW, reason="1").raised(Selector(tag="eu"), now=NOW, reason="2")
    swept = known.progressed(1, deleted=3, swept=True).progressed(2, deleted=4, swept=True)
    restored = NONE.restored(swept, now=NOW)
    assert [(one.sequence, one.selector, one.swept) for one in restored.open] == [
        (1, Selector(kind="image"), False),
        (2, Selector(tag="eu"), False),
    ]
    assert (restored.sequence, restored.floor) == (2, 0)
    assert not restored.forbids(entry(2))


def test_a_clear_that_looks_like_a_lost_one_is_another_one() -> None:
    """The same selector under the same sequence, raised later: what was bought in between is dead."""
    known = NONE.raised(Selector(), now=NOW, reason="lost").raised(Selector(tag="x"), now=NOW, reason="lost")
    fallen = NONE.raised(Selector(), now=Instant(NOW + 1), reason="new")
    restored = fallen.restored(known, now=Instant(NOW + 2))
    assert restored.forbids(entry(1))
    assert restored.forbids(entry(2))


def test_who_has_dropped_what_the_store_may_have_lost_forbids_everything() -> None:
    """Nobody knows any more what that was."""
    fallen = NONE.raised(Selector(tag="first"), now=NOW, reason="1")
    known = fallen
    for number in range(MOST + 1):
        known = known.raised(Selector(tag=f"t{number}"), now=NOW, reason="r")
        known = known.progressed(known.sequence, deleted=0, swept=True)
    restored = fallen.restored(known, now=NOW)
    assert [(one.sequence, one.selector, one.reason) for one in restored.open] == [
        (known.sequence + 1, Selector(), LOST)
    ]
    assert restored.remembers(known)


def test_an_epoch_counts_from_its_own_sequence() -> None:
    """What was bought from that provider before is dead, what comes after it and what others gave lives."""
    barrier = Barrier(7).advanced("generic", now=NOW, reason="new model")
    assert (barrier.sequence, barrier.epoch("generic"), barrier.epoch("other")) == (8, 1, 0)
    assert barrier.epochs["generic"] == Epoch(1, 8, NOW, "new model")
    other = Label("image", "acme", "other")
    for judges in (barrier.forbids, barrier.refuses):
        assert [judges(entry(7)), judges(entry(8)), judges(entry(7, other))] == [True, False, False]


def test_an_epoch_is_not_swept() -> None:
    """What is left of older epochs is to be counted: nothing removes it before its time."""
    assert list(NONE.advanced("generic", now=NOW, reason="r").unswept()) == []


def test_who_was_away_while_an_epoch_was_raised_learns_whose() -> None:
    """He forgets what that provider gave, and nothing else; of one that was raised twice too."""
    once = NONE.raised(Selector(kind="text"), now=NOW, reason="r").advanced("generic", now=NOW, reason="r")
    younger = once.since(1)
    assert younger is not None
    assert [(one.sequence, one.selector) for one in younger] == [(2, Selector(provider="generic"))]
    assert once.since(2) == ()
    twice = once.advanced("generic", now=NOW, reason="r").since(1)
    assert twice is not None
    assert [(one.sequence, one.selector) for one in twice] == [(3, Selector(provider="generic"))]


@given(ACTS)
def test_epochs_only_rise_and_what_they_ended_stays_dead(acts: list[Act]) -> None:
    """Whatever is raised, swept or dropped afterwards, however much later: an older epoch's answers stay dead."""
    barriers = played(acts)
    for number, earlier in enumerate(barriers):
        for later in barriers[number:]:
            for name, epoch in earlier.epochs.items():
                assert later.epoch(name) >= epoch.number
                assert later.forbids(entry(epoch.sequence - 1, Label("image", "acme", name)))


def test_an_epoch_that_was_only_lost_is_put_back_as_it_was() -> None:
    """The number, too: the keys are the same as before, and no answer is lost."""
    known = NONE.advanced("generic", now=NOW, reason="1").advanced("generic", now=NOW, reason="2")
    restored = NONE.restored(known, now=NOW)
    assert restored == known
    assert not restored.forbids(entry(2))


def test_epochs_that_contradict_each_other_are_raised_above_both() -> None:
    """The store fell back and was raised there anew: nobody can tell whose answers those of that number are."""
    known = NONE.advanced("generic", now=NOW, reason="lost")
    fallen = NONE.advanced("generic", now=Instant(NOW + 1), reason="new")
    restored = fallen.restored(known, now=Instant(NOW + 2))
    assert restored.epoch("generic") == 2
    assert [restored.forbids(entry(sequence)) for sequence in (0, 1)] == [True, True]
    assert restored.remembers(known)
    assert restored.remembers(fallen)


def test_a_clear_of_another_history_is_not_taken_for_an_old_one() -> None:
    """Of what was bought under the lost epoch nobody can tell whether that clear came later: it is dead."""
    known = NONE.advanced("generic", now=NOW, reason="lost")
    fallen = NONE.raised(Selector(kind="image"), now=NOW, reason="new")
    for _ in range(2):
        fallen = fallen.advanced("generic", now=NOW, reason="new")
    assert fallen.restored(known, now=NOW).forbids(entry(1, Label("image", "acme", "other")))


def test_a_record_from_before_there_were_epochs_is_read() -> None:
    """It has none, and forbids what it forbade."""
    stored = b'{"sequence":8,"open":[{"sequence":8,"selector":{},"at":1,"reason":"r"}],"floor":3}'
    assert decode(stored) == Barrier(8, (Invalidation(8, Selector(), 1, "r"),), 3)
    assert decode(stored).epochs == {}


def test_an_empty_store_forbids_nothing() -> None:
    """No record means that nobody has ever cleared anything."""
    assert decode(None) == NONE


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"sequence": "1"}',
        b'{"sequence": 1, "open": [{}]}',
        b'{"sequence": 1, "open": [{"sequence": 1, "selector": {"pattern": ""}, "at": 1, "reason": ""}]}',
        b'{"sequence": 1, "more": ' + b"[" * 50_000,
    ],
)
def test_junk_is_refused(stored: bytes) -> None:
    """What is no barrier forbids nothing silently: it is refused, as what it forbade is unknown."""
    with pytest.raises(EntryRefused, match="barrier"):
        decode(stored)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_barrier_or_refused(stored: bytes) -> None:
    """Whatever lies there, nothing else is raised."""
    with contextlib.suppress(EntryRefused):
        decode(stored)
