"""Letters as they are kept: what is in them stays between those who know the secret."""

from __future__ import annotations

import secrets

import msgspec
import pytest

from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.letter import Letter, Sealer

OLD, NEW = b"o" * 24, b"n" * 24
LETTER = Letter(
    id="msg_1",
    tenant="red",
    url="https://hooks.example.com/secret-path",
    sha256="ab" * 32,
    kind=Kind.IMAGE,
    request="order-66",
    accepted=Instant(1_795_168_800_000),
    tries=3,
    problem='{"type":"x"}',
    failed=Instant(1_795_168_800_001),
)


def sealer(*keys: bytes) -> Sealer:
    """One with these secrets."""
    return Sealer(keys, lambda: secrets.token_bytes(12))


def test_a_letter_comes_back() -> None:
    """As it was, from any process with the secret, also while that is being changed."""
    sealed = sealer(OLD).seal(LETTER)
    for keys in ([OLD], [NEW, OLD], [OLD, NEW]):
        assert sealer(*keys).open("msg_1", "red", sealed) == LETTER


def test_nothing_shows() -> None:
    """Neither the URL nor the digest nor the problem; and no two look alike."""
    sealed = sealer(OLD).seal(LETTER)
    assert not any(word in sealed for word in (b"hooks", b"secret-path", b"abab", b"order-66", b"type"))
    assert sealed != sealer(OLD).seal(LETTER)


@pytest.mark.parametrize(("letter", "tenant"), [("msg_2", "red"), ("msg_1", "blue"), ("msg_1r", "ed"), ("", "")])
def test_it_is_bound_to_its_name(letter: str, tenant: str) -> None:
    """What is moved to another id, or to another tenant, is nobody's."""
    assert sealer(OLD).open(letter, tenant, sealer(OLD).seal(LETTER)) is None


def test_junk_is_nobodys() -> None:
    """Any byte that was changed, any cut, another secret, and a plain letter that somebody wrote himself."""
    sealed = sealer(OLD).seal(LETTER)
    for at in range(len(sealed)):
        broken = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert sealer(OLD).open("msg_1", "red", broken) is None
        assert sealer(OLD).open("msg_1", "red", sealed[:at]) is None
    assert sealer(NEW).open("msg_1", "red", sealed) is None
    assert sealer(OLD).open("msg_1", "red", msgspec.json.encode(LETTER)) is None
