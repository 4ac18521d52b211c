"""Payloads under a user's own key: they open for him, under his key and for one question; else there is nothing."""

from __future__ import annotations

import secrets
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.key import Key
from hashcache.core.secret import Secret
from hashcache.integrations.guards.sealing import UserSealer

OLD, NEW = b"o" * 32, b"n" * 32
KEY, OTHER = Key("app", "conversation:7:$", "u-1"), Key("app", "conversation:8:$", "u-1")
PAYLOAD = b'j{"reply": "the code of the safe is 4711"}'


@given(
    st.binary(max_size=200),
    st.text(st.characters(codec=None), min_size=1, max_size=20),
    st.binary(min_size=32, max_size=64),
)
def test_what_was_sealed_comes_back(payload: bytes, user: str, key: bytes) -> None:
    """Byte for byte, for any payload, user and key, and from another process with the same key."""
    assert UserSealer(user, [key]).open(UserSealer(user, [key]).seal(payload, KEY), KEY) == payload


def test_nothing_shows() -> None:
    """Neither the payload nor the user nor the key is in what is kept, and no two look alike."""
    sealer = UserSealer("ada@example.com", [OLD])
    one, two = sealer.seal(PAYLOAD, KEY), sealer.seal(PAYLOAD, KEY)
    assert not any(word in one for word in (b"4711", b"reply", b"ada", b"oooo"))
    assert one[17:] != two[17:]
    assert "o" * 8 not in repr(sealer)
    assert "ada" not in repr(sealer)


def test_it_is_bound_to_its_question_and_user() -> None:
    """What is moved to another key, or shown to another user with the very same key, is a miss."""
    sealed = UserSealer("ada", [OLD]).seal(PAYLOAD, KEY)
    assert UserSealer("ada", [OLD]).open(sealed, OTHER) is None
    assert UserSealer("bob", [OLD]).open(sealed, KEY) is None


def test_keys_rotate() -> None:
    """The first seals, each opens, in whatever order; without the old one what it sealed is a miss."""
    old = UserSealer("ada", [OLD]).seal(PAYLOAD, KEY)
    for keys in ([OLD], [NEW, OLD], [OLD, NEW]):
        assert UserSealer("ada", keys).open(old, KEY) == PAYLOAD
    assert UserSealer("ada", [NEW]).open(old, KEY) is None
    both = UserSealer("ada", [NEW, OLD]).seal(PAYLOAD, KEY)
    assert UserSealer("ada", [NEW]).open(both, KEY) == PAYLOAD
    assert UserSealer("ada", [OLD]).open(both, KEY) is None


def test_damage_is_a_miss() -> None:
    """Any byte that was changed, any cut, any plain payload: nothing, and no error."""
    sealer = UserSealer("ada", [NEW, OLD])
    sealed = sealer.seal(PAYLOAD, KEY)
    for at in range(len(sealed)):
        assert sealer.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], KEY) is None
        assert sealer.open(sealed[:at], KEY) is None
    assert sealer.open(PAYLOAD, KEY) is None
    assert sealer.open(b"", KEY) is None


@given(st.binary(max_size=80))
def test_junk_is_a_miss(junk: bytes) -> None:
    """Whatever lies in the store; also behind a right beginning."""
    sealer = UserSealer("ada", [OLD])
    assert sealer.open(junk, KEY) is None
    assert sealer.open(sealer.seal(b"", KEY)[:17] + junk, KEY) is None


def test_each_payload_has_a_nonce_of_its_own() -> None:
    """One call of `nonce` a payload, and what it gives is what is used; by default they differ."""
    numbers = count()
    sealer = UserSealer("ada", [OLD], nonce=lambda: next(numbers).to_bytes(12, "big"))
    assert [sealer.seal(b"", KEY)[5:17] for _ in range(3)] == [n.to_bytes(12, "big") for n in range(3)]
    chance = UserSealer("ada", [OLD])
    assert len({chance.seal(b"", KEY)[5:17] for _ in range(100)}) == 100


def test_a_users_cipher_is_not_the_services() -> None:
    """With the very secret of the operator, no cipher of a tenant of his opens what a user's key sealed."""
    sealed = UserSealer("ada", [OLD], nonce=lambda: b"\0" * 12).seal(PAYLOAD, KEY)
    service = Secret.derive(OLD.hex()).cipher("ada").encrypt(b"\0" * 12, PAYLOAD, None)
    assert sealed[17 : 17 + len(PAYLOAD)] != service[: len(PAYLOAD)]


@pytest.mark.parametrize(
    ("user", "keys", "error", "words"),
    [
        ("", [OLD], ValueError, "user"),
        ("ada", [], ValueError, "no key"),
        ("ada", [b"k" * 31], ValueError, "32 bytes"),
        ("ada", ["hunter2 hunter2 hunter2 hunter2 hunter2"], TypeError, "token_bytes"),
    ],
)
def test_what_is_no_key_is_refused(user: str, keys: list[bytes], error: type[Exception], words: str) -> None:
    """At once, with what to do; the message does not hold the key."""
    with pytest.raises(error, match=words) as raised:
        UserSealer(user, keys)
    assert "hunter2" not in str(raised.value)
    assert "kkk" not in str(raised.value)


def test_a_key_by_chance_is_long_enough() -> None:
    """What the messages and the page advise works."""
    assert UserSealer("ada", [secrets.token_bytes(32)])
