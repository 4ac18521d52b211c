"""What a whole purchase costs the store, budget and journal included, in commands of ours."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.budget import Budget, Period
from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Status
from hashcache.core.result import Confidence, Result, Verdict
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.near import Near
from hashcache.ports import Answer, Body, Estimate, Pending, Rules, Terms
from hashcache.service.analyse import Analyses, Lives
from hashcache.service.callers import ANONYMOUS
from hashcache.service.cashier import Cashier
from hashcache.service.routing import Routing
from hashcache.service.spending import Till
from hashcache.stores.redis import RedisStore
from hashcache.stores.redis.cluster import ClusterStore
from tests.harness.cluster import ValkeyCluster
from tests.harness.held import HeldBody
from tests.harness.on_redis import connected
from tests.harness.sharded import names_on, sharded
from tests.harness.valkey import Valkey

CENT = MicroDollars(10_000)
ROOMY = MicroDollars(10**12)
#: One of each: in all, of the provider, of the tenant.
BUDGETS = (
    Budget(ROOMY, Period.DAY),
    Budget(ROOMY, Period.MONTH),
    Budget(ROOMY, Period.DAY, provider="shop"),
    Budget(ROOMY, Period.MONTH, tenant="default"),
)
LEASE = timedelta(minutes=5)  # so that no claim is renewed while it is counted


class Quiet:
    """An observer who is not interested."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@dataclass
class Shop:
    """A provider for a cent; with *receipts* its answer must be asked for."""

    receipts: bool = False
    name: str = "shop"
    kinds: frozenset[Kind] = frozenset(Kind)
    terms = Terms("call", CENT)

    def question(self, kind: Kind, tenant: str) -> Question:
        return Question(kind, tenant, self.name, "model")

    async def estimate(self, _content: Content, _body: Body) -> Estimate:
        return Estimate(CENT)

    async def start(self, _content: Content, _body: Body) -> Answer | Pending:
        return Pending("receipt", timedelta(0)) if self.receipts else await self.resume("")

    async def resume(self, _receipt: str) -> Answer:
        found = Result(
            verdict=Verdict.INCONCLUSIVE,
            score_ai=None,
            confidence=Confidence.NONE,
            evidence=(),
            provider=self.name,
            model="model",
            model_version=None,
            analysed_at="2026-11-20T10:00:00Z",
            answer=None,
        )
        return Answer(found, CENT, {"calls": 1})


class House:
    """One process with *store*, which has no near memory."""

    def __init__(self, store: RedisStore | ClusterStore, *shops: Shop) -> None:
        self.store = store
        self._shops = shops
        tokens = itertools.count()
        self._cache = Cache(
            store,
            store.channel,
            Near(0),
            token=lambda: f"token-{next(tokens)}",
            chance=lambda: 0.5,
            observer=Quiet(),
        )
        cashier = Cashier(store.accounts, BUDGETS, Rules(), now=store.now, peers=self._one)
        till = Till(cashier, "process", store.now, Quiet(), most=10_000)  # type: ignore[arg-type]  # not interested
        week, soon = timedelta(days=7), timedelta(seconds=20)
        lives = Lives(dict.fromkeys(Kind, week), dict.fromkeys(Kind, soon), LEASE, 10_000)
        routing = Routing({Kind.IMAGE: list(shops)})  # type: ignore[arg-type]  # no closing here
        self._analyses = Analyses(self._cache, Invalidations(self._cache), routing, lives, till)

    async def _one(self) -> int:
        return 1

    async def ask(self, content: bytes) -> tuple[Status, int]:
        """Whether it was a hit, and how many commands it took."""
        digest = Digest(hashlib.sha256(content).digest(), len(content))
        before = self.store.commands
        outcome = await self._analyses.analyse(Content(Kind.IMAGE, "image/jpeg", digest), HeldBody(content), ANONYMOUS)
        await self._cache.flights.told()
        return outcome.status, self.store.commands - before

    def key(self, content: bytes) -> Key:
        """Under which the first shop's answer is kept."""
        return Key.of(hashlib.sha256(content).hexdigest(), self._shops[0].question(Kind.IMAGE, ANONYMOUS.tenant))

    async def close(self) -> None:
        """What is under way ends first."""
        await self._cache.close(timedelta(seconds=5))


@asynccontextmanager
async def house_on(store: RedisStore | ClusterStore, *shops: Shop) -> AsyncIterator[House]:
    """A process that has taught every node the scripts."""
    house = House(store, *shops)
    try:
        for number in range(20):
            await house.ask(b"a first one, %d" % number)
        yield house
    finally:
        await house.close()


@pytest.mark.parametrize(("shop", "most"), [(Shop(), 6), (Shop(receipts=True), 7)], ids=["at once", "by a receipt"])
async def test_a_whole_miss_on_redis(valkey: Valkey, shop: Shop, most: int) -> None:
    """
    With four budgets and the journal: look, claim, reserve, commit, settle in six commands, and a hit in one. Putting
    a vendor's receipt on record is one more.
    """
    async with connected(valkey.url) as store, house_on(store, shop) as house:
        assert await house.ask(b"another") == (Status.MISS, most)
        assert await house.ask(b"another") == (Status.HIT, 1)
        assert await store.accounts.attempts() == []


async def test_a_chain_costs_no_more(valkey: Valkey) -> None:
    """With a provider to fall back on, one command looks for the answers of both."""
    async with connected(valkey.url) as store, house_on(store, Shop(), Shop(name="other")) as house:
        assert await house.ask(b"another") == (Status.MISS, 6)
        assert await house.ask(b"another") == (Status.HIT, 1)


async def test_a_whole_miss_on_a_cluster(cluster: ValkeyCluster) -> None:
    """Eight commands at most, wherever entry, barrier and money lie, and two for a hit."""
    names = names_on(cluster, cluster.masters[0])
    seen: set[object] = set()
    async with sharded(cluster.url, names) as store, house_on(store, Shop()) as house:
        for number in range(20):
            content = b"content %d" % number
            miss, bought = await house.ask(content)
            hit, found = await house.ask(content)
            assert (miss, hit) == (Status.MISS, Status.HIT)
            assert bought <= 8
            assert found <= 2
            seen.add(cluster.node_of(names.entry(house.key(content))))
    assert len(seen) == len(cluster.masters), "entries lay on every node"
