"""Who may have written an entry, and who can read it: signatures, rotation, licences, encryption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import NONCE, PREFIX, Envelope
from hashcache.core.errors import EntryRefused
from hashcache.core.secret import Secret, Unsigned
from tests.fuzz.envelopes import (
    ENCRYPTED,
    ENTRIES,
    ENTRY,
    KEY,
    LARGE,
    MODES,
    MOST,
    NAME,
    NEGATIVE,
    NEW,
    OLD,
    PLAIN,
    SIGNED,
    nonce,
    refused,
    resealed,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
UNTIL = Instant(1_790_100_000_000)


def licensed(now: int) -> Envelope:
    """An envelope that signs, and accepts unsigned entries before UNTIL, when it is *now*."""
    return Envelope((NEW,), most=MOST, unsigned=Unsigned(UNTIL, lambda: Instant(now)))


def test_secrets_are_rotated_without_losing_entries() -> None:
    """With `new,old` both open and the new one signs; with `new` alone what the old one signed is refused."""
    both, old = Envelope((NEW, OLD), most=MOST), Envelope((OLD,), most=MOST)
    assert both.open(old.seal(ENTRY, NAME), NAME, KEY) == ENTRY
    assert SIGNED.open(both.seal(ENTRY, NAME), NAME, KEY) == ENTRY
    assert refused(old, both.seal(ENTRY, NAME)) == "key_id"
    assert refused(SIGNED, old.seal(ENTRY, NAME)) == "key_id"


@pytest.mark.parametrize("entry", [ENTRY, LARGE, NEGATIVE], ids=["plain", "compressed", "negative"])
def test_encrypted_entries_are_rotated_as_well(entry: Entry) -> None:
    """The old secret's cipher decrypts as long as the old secret is accepted."""
    old = Envelope((OLD,), most=MOST, nonce=nonce).seal(entry, NAME)
    assert Envelope((NEW, OLD), most=MOST, nonce=nonce).open(old, NAME, KEY) == entry
    assert refused(ENCRYPTED, old) == "key_id"


@pytest.mark.parametrize("draw", [None, nonce], ids=["signed", "encrypted"])
@given(st.permutations([NEW, OLD, Secret.derive("third-0123456789abcdef")]), st.integers(1, 3))
def test_a_fleet_that_is_rotated_step_by_step_pays_nothing_twice(
    draw: Callable[[], bytes] | None, secrets: list[Secret], known: int
) -> None:
    """Whatever the first of a process's secrets seals opens in every process that knows it, in whatever order."""
    writer = Envelope(secrets[:known], most=MOST, nonce=draw)
    raw = writer.seal(LARGE, NAME)
    assert Envelope(secrets[::-1], most=MOST).open(raw, NAME, KEY) == LARGE
    assert Envelope(secrets[:1], most=MOST).open(raw, NAME, KEY) == LARGE
    assert refused(Envelope(secrets[1:], most=MOST), raw) == "key_id"


def test_what_is_unsigned_is_refused_where_a_secret_is_set() -> None:
    """Whoever can write to the store cannot forge an answer by leaving the signature away; nor the other way round."""
    assert refused(SIGNED, PLAIN.seal(ENTRY, NAME)) == "unsigned"
    assert refused(ENCRYPTED, PLAIN.seal(ENTRY, NAME)) == "unsigned"
    assert refused(PLAIN, SIGNED.seal(ENTRY, NAME)) == "key_id"
    assert refused(PLAIN, ENCRYPTED.seal(ENTRY, NAME)) == "key_id"


def test_a_foreign_signature_under_our_key_id_is_refused() -> None:
    """The id only names the key: it proves nothing."""
    forger = Envelope((replace(OLD, id=NEW.id),), most=MOST)
    assert refused(SIGNED, forger.seal(ENTRY, NAME)) == "seal"


def test_of_two_secrets_with_one_id_the_newer_is_meant() -> None:
    """One rotation in four thousand million has such: then old entries are lost, but what is written now opens."""
    both = Envelope((NEW, replace(OLD, id=NEW.id)), most=MOST)
    assert both.open(both.seal(ENTRY, NAME), NAME, KEY) == ENTRY


def test_nothing_secret_is_in_the_envelope_or_in_a_repr() -> None:
    """Neither the secret nor what is derived from it; equal secrets give equal keys, different ones different keys."""
    for raw in (SIGNED.seal(ENTRY, NAME), ENCRYPTED.seal(ENTRY, NAME)):
        assert NEW.key not in raw
        assert NEW.root not in raw
        assert b"0123456789abcdef" not in raw
    assert Secret.derive("new-0123456789abcdef") == NEW
    assert len({NEW.key, NEW.root, OLD.key, OLD.root}) == 4
    assert repr(NEW) == f"Secret(id={NEW.id!r})"
    assert NEW.id == blake3(NEW.key).digest()[:4] != OLD.id


def test_unsigned_entries_are_accepted_until_the_licence_ends() -> None:
    """To the millisecond, by the clock that was given; a changed one never is."""
    raw = PLAIN.seal(ENTRY, NAME)
    assert licensed(UNTIL - 1).open(raw, NAME, KEY).payload == ENTRY.payload
    assert refused(licensed(UNTIL), raw) == "unsigned"
    assert refused(licensed(UNTIL + 1), raw) == "unsigned"
    assert refused(licensed(0), raw[:-1] + bytes([raw[-1] ^ 1])) == "seal"
    assert refused(licensed(0), raw, NAME + "2") == "seal"


def test_an_unsigned_entry_lives_no_longer_than_its_licence() -> None:
    """Or a process would go on serving from memory what it would not accept from the store any more."""
    entry = structs.replace(ENTRY, kept=Instant(ENTRY.expires + 5))
    opened = licensed(0).open(PLAIN.seal(entry, NAME), NAME, KEY)
    assert (opened.expires, opened.kept) == (UNTIL, UNTIL)
    assert structs.replace(opened, expires=entry.expires, kept=entry.kept) == entry
    short = structs.replace(ENTRY, expires=Instant(UNTIL - 10), kept=Instant(UNTIL - 5))
    assert licensed(0).open(PLAIN.seal(short, NAME), NAME, KEY) == short


def test_a_licence_changes_nothing_for_signed_entries() -> None:
    """They live as long as they were sealed for, and new entries are signed."""
    signs = licensed(0)
    assert signs.open(signs.seal(ENTRY, NAME), NAME, KEY) == ENTRY
    assert SIGNED.open(signs.seal(ENTRY, NAME), NAME, KEY) == ENTRY


def test_encryption_and_licences_need_a_secret() -> None:
    """Asking for them without one is a mistake of who builds the envelope, and shows at once."""
    with pytest.raises(ValueError, match="without a secret"):
        Envelope(most=MOST, nonce=nonce)
    with pytest.raises(ValueError, match="without a secret"):
        Envelope(most=MOST, unsigned=Unsigned(UNTIL, lambda: Instant(0)))


@pytest.mark.parametrize("length", [0, 11, 13])
def test_a_nonce_of_another_length_is_a_mistake(length: int) -> None:
    """The format has room for 12 bytes: nothing is ever sealed without a nonce."""
    with pytest.raises(ValueError, match="12 bytes"):
        Envelope((NEW,), most=MOST, nonce=lambda: bytes(length)).seal(ENTRY, NAME)


def test_an_encrypted_answer_shows_only_its_label_and_size() -> None:
    """The payload is nowhere to be seen, the header is; the same answer never looks the same twice."""
    one, two = ENCRYPTED.seal(ENTRY, NAME), ENCRYPTED.seal(ENTRY, NAME)
    assert ENTRY.payload in SIGNED.seal(ENTRY, NAME)
    assert b"verdict" not in one
    assert b"acme" in one
    assert len(one) == len(SIGNED.seal(ENTRY, NAME)) + NONCE + 16
    start = PREFIX + int.from_bytes(one[24:28], "big") + NONCE
    assert one[start : start + 4] != two[start : start + 4]


def test_a_payload_is_compressed_before_it_is_encrypted() -> None:
    """Afterwards there would be nothing left to compress."""
    assert len(ENCRYPTED.seal(LARGE, NAME)) < len(LARGE.payload) / 5


def test_each_entry_takes_one_nonce_and_carries_it() -> None:
    """Drawn anew for each: a nonce used twice under one key breaks the cipher."""
    drawn = [b"first nonce.", b"secondnonce.", b"never drawn."]
    left = iter(drawn)
    envelope = Envelope((NEW,), most=MOST, nonce=lambda: next(left))
    for expected in drawn[:2]:
        raw = envelope.seal(ENTRY, NAME)
        start = PREFIX + int.from_bytes(raw[24:28], "big")
        assert raw[start : start + NONCE] == expected
        assert envelope.open(raw, NAME, KEY) == ENTRY
    assert next(left) == drawn[2]


def test_encryption_can_be_turned_on_and_off_without_losing_entries() -> None:
    """Both kinds are signed by the same key, so both are believed."""
    assert SIGNED.open(ENCRYPTED.seal(LARGE, NAME), NAME, KEY) == LARGE
    assert ENCRYPTED.open(SIGNED.seal(LARGE, NAME), NAME, KEY) == LARGE


def relabelled(raw: bytes, label: Label) -> bytes:
    """*raw*, sealed anew by who holds the signing key, with another *label* of the same length."""
    mine = SIGNED.seal(structs.replace(ENTRY, label=label), NAME)
    end = PREFIX + int.from_bytes(raw[24:28], "big")
    assert mine[24:28] == raw[24:28]
    return resealed(raw[:PREFIX] + mine[PREFIX:end] + raw[end:-32], secret=NEW)


def test_an_answer_cannot_be_read_with_the_key_of_another_tenant() -> None:
    """Even under a right signature: each tenant has a cipher of its own."""
    raw = ENCRYPTED.seal(ENTRY, NAME)
    assert ENCRYPTED.open(relabelled(raw, ENTRY.label), NAME, KEY) == ENTRY
    assert refused(ENCRYPTED, relabelled(raw, structs.replace(ENTRY.label, tenant="evil"))) == "cipher"


def test_nothing_of_an_encrypted_entry_is_free_even_under_a_right_signature() -> None:
    """Each byte before the seal, the name included, is bound by the cipher too."""
    raw = ENCRYPTED.seal(ENTRY, NAME)
    assert refused(ENCRYPTED, resealed(raw[:-32], NAME + "2", secret=NEW), NAME + "2") == "cipher"
    reasons = set()
    for place in range(len(raw) - 32):
        for bit in (1, 0x80):
            broken = bytearray(raw[:-32])
            broken[place] ^= bit
            reasons.add(refused(ENCRYPTED, resealed(bytes(broken), secret=NEW)))
    assert "cipher" in reasons
    for place in (4, 11, 19):  # sequence and creation may be any number: only the cipher knows which it was
        broken = bytearray(raw[:-32])
        broken[place] ^= 1
        assert refused(ENCRYPTED, resealed(bytes(broken), secret=NEW)) == "cipher"


@pytest.mark.parametrize("length", range(29))
def test_a_cipher_cut_short_is_refused(length: int) -> None:
    """Also where neither nonce nor tag is whole, and where nothing is left to decrypt; also for zstd."""
    raw = ENCRYPTED.seal(ENTRY, NAME)
    end = PREFIX + int.from_bytes(raw[24:28], "big")
    for flags, declared in ((raw[3], 0), (raw[3] | 1, 1), (raw[3] | 1, 29)):
        start = raw[:3] + bytes([flags]) + raw[4:28] + length.to_bytes(4, "big") + declared.to_bytes(4, "big")
        cut = resealed(start + raw[PREFIX : end + length], secret=NEW)
        assert refused(ENCRYPTED, cut) == ("size" if length < 28 else "cipher")


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_each_tenant_and_each_of_its_users_has_a_cipher_of_its_own(a: str, b: str, c: str, d: str) -> None:
    """Also where their names put together are the same."""
    one, other = ((NEW.cipher(*who).encrypt(bytes(12), b"the same", b"")) for who in ((a, b), (c, d)))
    assert (one == other) is ((a, b) == (c, d))


def test_names_put_together_are_told_apart() -> None:
    """Tenant `ab` with user `c` is not tenant `a` with user `bc`, and no user is not a user of no name elsewhere."""
    who = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("", "")]
    assert len({NEW.cipher(*one).encrypt(bytes(12), b"the same", b"") for one in who}) == len(who)
    assert NEW.cipher("a").encrypt(bytes(12), b"x", b"") == NEW.cipher("a", "").encrypt(bytes(12), b"x", b"")
    assert NEW.cipher("a").encrypt(bytes(12), b"x", b"") != OLD.cipher("a").encrypt(bytes(12), b"x", b"")


@given(ENTRIES, st.sampled_from(list(MODES)), st.text(st.characters(codec="ascii"), max_size=40))
def test_an_entry_opens_under_its_own_name_only(entry: Entry, mode: str, name: str) -> None:
    """Replayed under any other key of any tenant it is refused."""
    raw = MODES[mode].seal(entry, NAME)
    if name != NAME:
        with pytest.raises(EntryRefused, match="seal"):
            MODES[mode].open(raw, name, KEY)
