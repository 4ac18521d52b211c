"""Who is asked, and where an answer may already lie."""

from __future__ import annotations

from hashcache.core.content import Kind
from hashcache.core.key import Question
from hashcache.service.routing import Routing

SHA256 = "ab" * 32


class Named:
    """A provider that only has a name and asks its question."""

    def __init__(self, name: str) -> None:
        self.name = name

    def question(self, kind: Kind, tenant: str) -> Question:
        return Question(kind, tenant, self.name, "model")


def routing() -> Routing:
    """Two providers for images, one of them for texts too, none for videos."""
    one, two = Named("one"), Named("two")
    return Routing({Kind.IMAGE: [one, two], Kind.TEXT: [two], Kind.VIDEO: []})  # type: ignore[list-item]  # as much of a provider as is asked here


def test_the_first_is_paid() -> None:
    """And nobody where nobody is configured."""
    found = {kind: routing().first(kind) for kind in Kind}
    assert {kind: one and one.name for kind, one in found.items()} == {"image": "one", "video": None, "text": "two"}


def test_candidates_are_in_order_and_narrowed_by_kind() -> None:
    """Image before text, the first provider before its fallback."""
    whole = routing().candidates(SHA256, "default")
    assert [(kind, key.space) for kind, key in whole] == [
        ("image", "analysis"),
        ("image", "analysis"),
        ("text", "text"),
    ]
    assert len({key.variant for _, key in whole}) == 3
    assert routing().candidates(SHA256, "default", Kind.TEXT) == whole[2:]


def test_tenants_share_no_key_and_cost_the_same() -> None:
    """Another tenant's candidates are as many, and all others."""
    mine, yours = (routing().candidates(SHA256, tenant) for tenant in ("mine", "yours"))
    assert len(mine) == len(yours)
    assert {key for _, key in mine}.isdisjoint({key for _, key in yours})


def test_everyone_is_named_once() -> None:
    """A provider of two kinds is closed once."""
    assert [one.name for one in routing().everyone()] == ["one", "two"]
    assert routing().names() == {"image": ["one", "two"], "video": [], "text": ["two"]}
