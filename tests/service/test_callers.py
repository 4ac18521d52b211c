"""Callers: who a presented key belongs to."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashcache.core.errors import SettingsError
from hashcache.service.callers import Caller, Callers, Role, new_key
from hashcache.settings import load

TOKEN = "t0k3n-0123456789abcdef"
SHOP, SHOP_ENTRY = new_key("shop", "acme", Role.USER, bytes(range(32)))
OPS, OPS_ENTRY = new_key("ops", "beta", Role.ADMIN, bytes(range(32, 64)))
steady = settings(deadline=None)  # an example is cheap, but a busy machine may make it wait
KEYS = load({"HASHCACHE_API_KEYS": f"{SHOP_ENTRY},{OPS_ENTRY}"}).api_keys


@pytest.mark.parametrize(
    ("presented", "expected"),
    [
        (SHOP, Caller("shop", "acme", Role.USER)),
        (OPS, Caller("ops", "beta", Role.ADMIN)),
        (TOKEN, Caller("admin-token", "default", Role.ADMIN)),
        (None, None),
        ("", None),
        (SHOP[:-1], None),
        (SHOP + " ", None),
        (SHOP.lower(), None),
        ("\udcff", None),
    ],
)
def test_a_key_tells_the_caller(presented: str | None, expected: Caller | None) -> None:
    """Exactly the key itself names its holder; with keys configured, nobody comes in without one."""
    assert Callers(KEYS, TOKEN).identify(presented) == expected


@pytest.mark.parametrize("token", [None, TOKEN])
def test_without_keys_everybody_is_anonymous(token: str | None) -> None:
    """Who presents nothing is tenant default, role user; an admin token does not change that."""
    assert Callers((), token).identify(None) == Caller("anonymous", "default", Role.USER)


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_wrong_key_never_passes_silently(token: str | None) -> None:
    """Also where no key is needed, a key that nobody knows is refused, not ignored."""
    assert Callers((), token).identify("hc_typo") is None


def test_the_digest_of_a_key_is_no_key() -> None:
    """Who reads the settings cannot call with what stands there."""
    assert Callers(KEYS).identify(KEYS[0].digest) is None


@pytest.mark.parametrize("presented", [SHOP, OPS, TOKEN, "hc_wrong"])
def test_every_known_digest_is_compared_whoever_calls(presented: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no early exit: the first, the last and nobody cost the same comparisons."""
    compared = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    callers = Callers(KEYS, TOKEN)
    monkeypatch.setattr(hmac, "compare_digest", counting)
    callers.identify(presented)
    assert compared == [bytes.fromhex(key.digest) for key in KEYS] + [hashlib.sha256(TOKEN.encode()).digest()]


@steady
@given(st.binary(min_size=32, max_size=32), st.sampled_from(Role))
def test_a_new_key_works_with_its_entry(random: bytes, role: Role) -> None:
    """The key is `hc_` and 43 URL-safe characters; pasted into the settings, its entry lets it in."""
    key, entry = new_key("a-b_1", "t", role, random)
    assert len(key) == 46
    assert key.startswith("hc_")
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert key not in entry
    assert Callers(load({"HASHCACHE_API_KEYS": entry}).api_keys).identify(key) == Caller("a-b_1", "t", role)


@pytest.mark.parametrize(("name", "tenant"), [("A", "t"), ("", "t"), ("a", ""), ("a:b", "t"), ("a", "x" * 65)])
def test_a_new_key_needs_good_names(name: str, tenant: str) -> None:
    """What the settings would refuse is not made."""
    with pytest.raises(SettingsError, match="names and tenants"):
        new_key(name, tenant, Role.USER, bytes(32))


def test_a_new_key_needs_all_its_chance() -> None:
    """Fewer random bytes are a mistake of the program, not a weaker key."""
    with pytest.raises(ValueError, match="32 random bytes"):
        new_key("a", "t", Role.USER, bytes(31))
