"""Who is asked, and where an answer may already lie."""

from __future__ import annotations

from collections.abc import Mapping

from hashcache.core.content import Kind
from hashcache.core.key import Question
from hashcache.service.routing import Routing, failed_job

SHA256 = "ab" * 32


class Named:
    """A provider that only has a name and asks its question."""

    def __init__(self, name: str) -> None:
        self.name = name

    def question(self, kind: Kind, tenant: str) -> Question:
        return Question(kind, tenant, self.name, "model")


def routing(epochs: Mapping[str, int] | None = None) -> Routing:
    """Two providers for images, one of them for texts too, none for videos; each in its epoch."""
    one, two = Named("one"), Named("two")
    chains = {Kind.IMAGE: [one, two], Kind.TEXT: [two], Kind.VIDEO: []}
    return Routing(chains, lambda name: (epochs or {}).get(name, 0))  # type: ignore[arg-type]  # as much of a provider as is asked here


def test_the_chain_is_in_order() -> None:
    """And empty where nobody is configured."""
    found = {kind.value: [one.name for one in routing().chain(kind)] for kind in Kind}
    assert found == {"image": ["one", "two"], "video": [], "text": ["two"]}


def test_candidates_are_in_order_and_narrowed_by_kind() -> None:
    """Image before text, the first provider before its fallback; last where failed jobs are remembered."""
    whole = routing().candidates(SHA256, "default")
    assert [key.space for key in whole] == ["analysis", "analysis", "text", "analysis", "text"]
    assert len({key.variant for key in whole}) == 5
    assert routing().candidates(SHA256, "default", Kind.TEXT) == [whole[2], whole[4]]
    assert routing().candidates(SHA256, "default", Kind.IMAGE, Kind.VIDEO) == [*whole[:2], whole[3]]
    assert failed_job(SHA256, Kind.TEXT, "default") == whole[4]


def test_candidates_of_many_are_those_of_each() -> None:
    """In their order, and none for none."""
    other = "1" * 64
    both = routing().candidates_of_all([other, SHA256], "default")
    assert both == [routing().candidates(one, "default") for one in (other, SHA256)]
    assert routing().candidates_of_all([], "default") == []


def test_a_raised_epoch_asks_anew() -> None:
    """All keys of the provider are others, and none of anybody else's."""
    before, after = routing(), routing({"two": 1})
    assert before.keys(SHA256, Kind.IMAGE, "default")[0] == after.keys(SHA256, Kind.IMAGE, "default")[0]
    assert before.keys(SHA256, Kind.IMAGE, "default")[1] != after.keys(SHA256, Kind.IMAGE, "default")[1]


def test_tenants_share_no_key_and_cost_the_same() -> None:
    """Another tenant's candidates are as many, and all others."""
    mine, yours = (routing().candidates(SHA256, tenant) for tenant in ("mine", "yours"))
    assert len(mine) == len(yours)
    assert set(mine).isdisjoint(yours)


def test_everyone_is_named_once() -> None:
    """A provider of two kinds is closed once."""
    assert [one.name for one in routing().everyone()] == ["one", "two"]
    assert routing().names() == {"image": ["one", "two"], "video": [], "text": ["two"]}


def test_a_provider_is_found_by_name_with_its_places() -> None:
    """Which it is asked in, from 1, by kind; one that nobody asks is not found."""
    found = routing({"two": 3})
    assert (found.find("two"), found.find("three")) == (found.chain(Kind.TEXT)[0], None)
    assert (found.places("one"), found.places("two")) == ({"image": 1}, {"image": 2, "text": 1})
    assert (found.epoch("one"), found.epoch("two")) == (0, 3)
