"""
What is decided in `accounting`, as bytes: what a store keeps of an attempt, of tries in vain, and of a breaker.

Rule 1: a reader believes nothing: bytes that are none of ours are read as nothing.
Rule 2: an attempt is four lines: its token, the rules that a script heeds, what does not change, and the receipt. So
        a script can tell whose it is and put a receipt on it without understanding the rest.

    3f1c...                                                 token
    rules 5 10000 60000 60000 2                             threshold, pause, denied_pause, probe (milliseconds), tries
    {"token":"","key":{...},"account":{...},...}            JSON, without token and receipt
    job-77                                                  receipt; empty: none

    tries 2 1795168800000                                   how many tries were in vain, and until when that counts
    1795168800000 and an attempt in further lines           when it was booked as unknown
    3 1795168800000 0 failed -                              failures, until, given up at, reason, probe (-: none)
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import msgspec

from hashcache.core.entry import Instant
from hashcache.core.errors import PatternError
from hashcache.ports import Attempt, Rules
from hashcache.stores.accounting import Lapsed, Noted, Tried
from hashcache.stores.circuit import Circuit

_MILLISECOND = timedelta(milliseconds=1)
_RULES = re.compile(rb"rules" + rb" (\d{1,13})" * 5)
_INSTANT = re.compile(rb"\d{1,15}")
_TRIED = re.compile(rb"tries (\d{1,13}) (\d{1,15})")
_CIRCUIT = re.compile(rb"(\d{1,15}) (\d{1,15}) (\d{1,15}) (\w+|-) (\S+)")


def body(attempt: Attempt) -> bytes:
    """What does not change of *attempt* while one process runs it."""
    return msgspec.json.encode(replace(attempt, token="", receipt=""))


def write_there(there: Noted | Tried) -> bytes:
    """What lies at a key."""
    if isinstance(there, Tried):
        return b"tries %d %d" % (there.tries, there.until)
    rules, attempt = there.rules, there.attempt
    pauses = (one // _MILLISECOND for one in (rules.pause, rules.denied_pause, rules.probe))
    numbers = b" ".join(b"%d" % number for number in (rules.threshold, *pauses, rules.tries))
    return b"\n".join([attempt.token.encode(), b"rules " + numbers, body(attempt), attempt.receipt.encode()])


def read_there(raw: bytes | None) -> Noted | Tried | None:
    """What `write_there` wrote."""
    if tried := _TRIED.fullmatch(raw or b""):
        return Tried(int(tried[1]), Instant(int(tried[2])))
    lines = (raw or b"").split(b"\n", 3)
    rules = _RULES.fullmatch(lines[1]) if len(lines) == 4 else None
    if rules is None:
        return None
    threshold, pause, denied, probe, tries = map(int, rules.groups())
    try:
        attempt = msgspec.json.decode(lines[2], type=Attempt)
        attempt = replace(attempt, token=lines[0].decode(), receipt=lines[3].decode())
    except (ValueError, PatternError, RecursionError):  # msgspec's errors and Unicode's are ValueErrors
        return None
    pauses = {"pause": pause, "denied_pause": denied, "probe": probe}
    spans = {name: timedelta(milliseconds=number) for name, number in pauses.items()}
    return Noted(attempt, Rules(threshold=threshold, tries=tries, **spans))


def write_lapsed(lapsed: Lapsed) -> bytes:
    """What is remembered under a token."""
    return b"%d\n%b" % (lapsed.booked, write_there(lapsed.noted))


def read_lapsed(raw: bytes | None) -> Lapsed | None:
    """What `write_lapsed` wrote."""
    booked, _, rest = (raw or b"").partition(b"\n")
    noted = read_there(rest)
    if not isinstance(noted, Noted) or not _INSTANT.fullmatch(booked):
        return None
    return Lapsed(noted, Instant(int(booked)))


def write_circuit(circuit: Circuit) -> bytes:
    """What is kept for a provider."""
    words = (circuit.failures, circuit.until, circuit.given_up, circuit.reason or "-", circuit.probe or "-")
    return " ".join(map(str, words)).encode()


def read_circuit(raw: bytes | None) -> Circuit | None:
    """What `write_circuit` wrote."""
    found = _CIRCUIT.fullmatch(raw or b"")
    if found is None:
        return None
    reason, probe = (word.decode(errors="replace") for word in found.groups()[3:])
    failures, until, given_up = map(int, found.groups()[:3])
    return Circuit(
        failures,
        Instant(until),
        "" if reason == "-" else reason,
        "" if probe == "-" else probe,
        Instant(given_up),
    )
