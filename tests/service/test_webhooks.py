"""
When webhooks are sent, again and no more: a real receiver, a store in memory, and a clock that the test moves.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.errors import OutboxFull, ProviderError, ProviderFailed, StoreUnavailable
from hashcache.core.letter import Hook, Letter, Sealer
from hashcache.core.outcome import Outcome
from hashcache.core.target import Target
from hashcache.engine.found import Found
from hashcache.ports import Bounds, Posted, Sealed
from hashcache.postman import HttpPostman
from hashcache.service.callers import Caller, Role
from hashcache.service.delivery import LONGEST_WISH, PAUSES, Delivery, Tried
from hashcache.service.webhooks import KEPT, Webhooks
from hashcache.stores.outbox import MemoryOutbox
from tests.harness.clock import HandClock
from tests.harness.http import NO_TLS
from tests.harness.mailbox import Mailbox
from tests.harness.service import until

CONTENT = Content(Kind.IMAGE, "image/jpeg", Digest(b"x" * 32, 1), None)
ANN = Caller("ann", "red", Role.USER)
HOLD = timedelta(seconds=32)
ERROR = ProviderFailed("hive", "hive broke")


class Log:
    """Hears what became of webhooks."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int | None, str]] = []

    def webhook(self, event: str, _: Letter | None, *, status: int | None, why: str) -> None:
        """Note it."""
        self.events.append((event, status, why))


class Words:
    """Writes what is told, and knows nothing of any content; *away*: because the store is."""

    away = False

    def answer(self, outcome: Outcome) -> bytes:
        """Never called: nothing is known."""
        raise NotImplementedError

    def problem(self, error: ProviderError | None, _: str) -> bytes:
        """The error's words."""
        return b'{"detail": "%s"}' % str(error).encode()

    async def known(self, *_: object) -> Found:
        """Nothing."""
        return Found(None, pending=False, away=self.away)


class Office:
    """One process that delivers to *box*, of several on one *outbox*."""

    def __init__(self, box: Mailbox, outbox: MemoryOutbox, clock: HandClock, words: Words) -> None:
        self.log = Log()
        self.delivery = Delivery(
            words.known,
            HttpPostman(lambda: NO_TLS),
            words,
            secrets=[b"s" * 24],
            origins=[Target.parse(box.url).origin],
            now=clock,
            chance=lambda: 0.5,
        )
        self.webhooks = Webhooks(
            outbox,
            Sealer([b"s" * 24], lambda: secrets.token_bytes(12)),
            self.delivery,
            self.log,
            holder=secrets.token_hex(4),
            bounds=Bounds(4, 3),
            hold=HOLD,
            quiet=timedelta(milliseconds=20),
            now=clock,
            token=lambda: secrets.token_hex(8),
        )

    async def promise(self, box: Mailbox, caller: Caller = ANN) -> Hook:
        """Promise one webhook."""
        hook = self.webhooks.ask(box.url, "request")
        await self.webhooks.promise(hook, CONTENT, caller)
        return hook


class Away(MemoryOutbox):
    """An outbox that may be *away*, or answer that what is put is *lost*; it is put all the same."""

    away = lost = False

    async def put(self, letter: Sealed, holder: str, *, hold: timedelta, bounds: Bounds) -> None:
        await super().put(letter, holder, hold=hold, bounds=bounds)
        if self.away or self.lost:
            raise StoreUnavailable("away")

    async def drop(self, letter: str) -> bool:
        if self.away:
            raise StoreUnavailable("away")
        return await super().drop(letter)


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A receiver."""
    async with Mailbox() as box:
        yield box


@pytest.fixture
def clock() -> HandClock:
    """The store's."""
    return HandClock()


@pytest.fixture
def words() -> Words:
    """What is told."""
    return Words()


@pytest.fixture
def outbox(clock: HandClock) -> MemoryOutbox:
    """Where letters lie."""
    return MemoryOutbox(clock)


@pytest.fixture
async def office(box: Mailbox, outbox: MemoryOutbox, clock: HandClock, words: Words) -> AsyncIterator[Office]:
    """A process that delivers."""
    office = Office(box, outbox, clock, words)
    office.webhooks.start()
    yield office
    await office.webhooks.close()


async def test_row_55_eight_times_in_a_day(
    box: Mailbox, office: Office, outbox: MemoryOutbox, clock: HandClock
) -> None:
    """
    A receiver that always fails is asked eight times, after pauses that grow, never earlier; then it is given up, and
    nothing waits. What failed is told each time as it was the first time, under one id, at a time of its own.
    """
    box.answer(*[500] * 8)
    office.webhooks.ended(await office.promise(box), ERROR)
    for tried, pause in enumerate(PAUSES, 1):
        await until(lambda tried=tried: len(office.log.events) == tried)
        clock.advance(pause - timedelta(seconds=1))
        held = await outbox.take("nobody", hold=timedelta(0), most=1)
        assert not held.letters
        clock.advance(timedelta(seconds=1, milliseconds=1))
    await until(lambda: len(office.log.events) == 8)
    assert office.log.events == [("failed", 500, "")] * 7 + [("given_up", 500, "")]
    await until(lambda: not outbox._lying)
    assert len({one.id for one in box.messages}) == 1
    assert len({one.body for one in box.messages}) == 1
    assert len({one.headers["webhook-timestamp"] for one in box.messages}) == 8
    assert timedelta(hours=20) < sum(PAUSES, timedelta(0)) < timedelta(hours=28) < KEPT


@pytest.mark.parametrize(
    ("posted", "tries", "pause"),
    [
        (Posted(500), 1, timedelta(seconds=5)),
        (Posted(500, retry_after=3600), 1, timedelta(seconds=5)),
        (Posted(429, retry_after=3600), 1, timedelta(hours=1)),
        (Posted(503, retry_after=3600), 1, timedelta(hours=1)),
        (Posted(503, retry_after=1), 2, timedelta(minutes=1)),
        (Posted(503, retry_after=1e9), 1, LONGEST_WISH),
        (Posted(None, "timeout"), 7, timedelta(hours=15)),
        (Posted(500), 8, None),
        (Posted(410), 1, None),
        (Posted(None, "not-allowed"), 1, None),
    ],
)
async def test_when_the_next_try_is(office: Office, posted: Posted, tries: int, pause: timedelta | None) -> None:
    """By how many there were; later where 429 or 503 ask for it, within bounds; never after 410."""
    letter = Letter(
        id="m", tenant="t", url="u", sha256="s", kind=Kind.TEXT, request="r", accepted=HandClock()(), tries=tries
    )
    assert office.delivery.pause(Tried(letter, posted)) == pause


async def test_a_promise_is_held_while_its_job_lives(
    box: Mailbox, office: Office, outbox: MemoryOutbox, clock: HandClock, words: Words
) -> None:
    """However long the analysis takes, nobody else takes its letter; once its process is gone, somebody does."""
    other = Office(box, outbox, clock, words)
    other.webhooks.start()
    hook = await office.promise(box)
    for _ in range(10):
        clock.advance(HOLD * 0.6)
        await until(lambda: outbox._lying[hook.id].due - clock() > HOLD.total_seconds() * 900)
    assert box.messages == []
    await office.webhooks.close()
    (message,) = await box.holds(1)
    assert message.id == hook.id
    await until(lambda: other.log.events == [("sent", 204, "")])
    assert office.log.events == []
    await other.webhooks.close()


async def test_nothing_is_said_while_nothing_is_known(
    box: Mailbox, office: Office, clock: HandClock, words: Words
) -> None:
    """The store is away when a job has ended: it is not told that nothing is known, but later what is."""
    words.away = True
    hook = await office.promise(box)
    office.webhooks.ended(hook, None)
    await until(lambda: not office.webhooks._mine)
    words.away = False
    assert box.messages == []
    clock.advance(HOLD + timedelta(seconds=1))
    await box.holds(1)


async def test_row_56_a_lost_drop_sends_twice_under_one_id(box: Mailbox, clock: HandClock, words: Words) -> None:
    """The store is away when the receiver has it: it comes again when the hold is over, and then no more."""
    outbox = Away(clock)
    office = Office(box, outbox, clock, words)
    office.webhooks.start()
    hook = await office.promise(box)
    outbox.away = True
    office.webhooks.ended(hook, ERROR)
    await box.holds(1)
    await until(lambda: not office.webhooks._mine)
    outbox.away = False
    clock.advance(HOLD + timedelta(seconds=1))
    assert [one.id for one in await box.holds(2)] == [hook.id] * 2
    await until(lambda: not outbox._lying)
    await office.webhooks.close()


async def test_what_cannot_be_put_down_is_not_promised(box: Mailbox, clock: HandClock, words: Words) -> None:
    """The store goes away in the middle: whoever asked hears so; and what it had kept is taken back, if that can be."""
    outbox = Away(clock)
    office = Office(box, outbox, clock, words)
    outbox.away = True
    with pytest.raises(StoreUnavailable):
        await office.promise(box)
    assert not office.webhooks._mine
    outbox.away, outbox.lost = False, True
    outbox._lying.clear()
    with pytest.raises(StoreUnavailable):
        await office.promise(box)
    assert not outbox._lying


async def test_row_55_a_slow_receiver_does_not_hold_up_others(box: Mailbox, office: Office) -> None:
    """One is silent, another is told at once."""
    box.then.append(b"HTTP/1.1 2")
    first, second = await office.promise(box), await office.promise(box)
    office.webhooks.ended(first, ERROR)
    await box.holds(1)
    office.webhooks.ended(second, ERROR)
    await box.holds(2)
    await until(lambda: office.log.events == [("sent", 204, "")])


async def test_whose_outbox_is_full(box: Mailbox, office: Office) -> None:
    """One tenant's part first, then the whole; what was forgone makes room."""
    hooks = [await office.promise(box) for _ in range(3)]
    with pytest.raises(OutboxFull) as mine:
        await office.promise(box)
    assert mine.value.tenant == "red"
    bob = Caller("bob", "blue", Role.USER)
    await office.promise(box, bob)
    with pytest.raises(OutboxFull) as all_full:
        await office.promise(box, Caller("eve", "green", Role.USER))
    assert all_full.value.tenant is None
    await office.webhooks.forgo(hooks[0])
    await office.promise(box)


async def test_what_is_too_old_or_unreadable_is_given_up(
    box: Mailbox, office: Office, outbox: MemoryOutbox, clock: HandClock
) -> None:
    """A letter that nobody could deliver for three days, and one that was sealed by somebody else."""
    junk = Sealed("msg_junk", "red", b"\x01" + b"x" * 40, clock() + 10**9)
    assert await outbox.put(junk, "x", hold=timedelta(0), bounds=Bounds(9, 9)) is None
    await until(lambda: office.log.events == [("given_up", None, "unreadable")])
    await office.promise(box)
    await office.webhooks.close()
    clock.advance(KEPT)
    later = Office(box, outbox, clock, Words())
    later.webhooks.start()
    await until(lambda: later.log.events == [("given_up", None, "expired")])
    await until(lambda: not outbox._lying)
    await later.webhooks.close()
    assert box.accepted == 0


async def test_who_asks_for_what(box: Mailbox, office: Office) -> None:
    """Each webhook has an id of its own, without a full stop, which a signature could not bear."""
    ids = [office.webhooks.ask(box.url, "r.1").id for _ in range(3)]
    assert len(set(ids)) == 3
    assert not any("." in one for one in ids)
