"""
What a call does, step by step, without doing it: requests to send and pauses to make, whoever carries them out.

Rule 1: what changes nothing is asked again after a lost connection (TRIES times) and, when the service asks to wait
        (429, 503 with Retry-After) or is busy buying (202), as often as the deadline allows.
Rule 2: an upload is sent again at once only when not a byte of it left. When its fate is unknown (a broken
        connection, a proxy's error) the service is asked by hash first: what it knows is the answer, what it is buying
        is waited for, and only what it does not know is uploaded again.
Rule 3: "not known" is believed only of hashcache itself: no other server is ever sent a content.
Rule 4: a clear is repeated only when the service says that it has done nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote

import msgspec

from hashcache.client.answers import Analysis, Clearing, Cost, Found, Lookup, Spend, Stats
from hashcache.client.contents import Content
from hashcache.client.problems import TimedOut, Unreachable
from hashcache.client.wire import Ask, Lost, Reply, Steps, Wait
from hashcache.core.content import Kind

TRIES = 4
#: The most that one question may name.
MOST_DIGESTS = 1000
_PAUSE = 0.1  # the first pause after a lost connection, in seconds; each further one is four times as long
_BUSY = frozenset({429, 503})
_Answer = TypeVar("_Answer")


def analyze(content: Content, *, refresh: bool, tags: Sequence[str], hash_first: bool) -> Steps[Analysis]:
    """The analysis of *content*. *refresh*: buy it anew; *hash_first*: ask before uploading."""
    question = Ask("GET", _path(content.sha256, content.kind))
    if hash_first and not refresh:
        reply = yield from _asked(question)
        if reply.status == 200:
            return _analysis(reply)
        _check_unknown(reply)
    headers = {"Content-Type": content.media_type, "Content-Length": str(content.size)}
    if refresh:
        headers["X-Force-Refresh"] = "true"
    if tags:
        headers["X-Cache-Tags"] = ", ".join(tags)
    upload = Ask("PUT", _path(content.sha256, None), headers, content)
    for pause in _pauses():
        reply_or_lost = yield from _uploaded(upload)
        if isinstance(reply_or_lost, Reply):
            return _analysis(reply_or_lost, uploaded=content.size)
        if reply_or_lost.stage != "unreached":
            found = yield from _asked(question)
            if found.status == 200 and not (refresh and _older_than_call(found)):
                return _analysis(found, uploaded=content.size)
            if found.status != 200:
                _check_unknown(found)
        if pause is None or not (yield Wait(pause)):
            raise _gave_up(reply_or_lost)
    raise AssertionError("unreachable")


def _uploaded(upload: Ask) -> Steps[Reply | Lost]:
    """Upload until there is an answer (200), or nobody knows whether it arrived; raises Problem when it is refused."""
    while True:
        reply = yield upload
        if not isinstance(reply, Reply):
            lost = _lost(reply)
            if lost.stage == "late":
                raise TimedOut("the deadline passed during an upload", maybe_bought=lost.complete)
            return lost
        if reply.status == 200:
            return reply
        problem = reply.problem()
        if problem is None and reply.status >= 500:
            return Lost("broken", f"something on the way answered {reply.status}", complete=True)
        if problem is not None and problem.slug == "provider-timeout":
            # It may go on without us: then the service says so by its hash, and is waited for.
            found = yield from _asked(Ask("GET", upload.path))
            if found.status == 200:
                return found
            raise problem
        after = reply.retry_after
        if reply.status not in _BUSY or problem is None or after is None or not (yield Wait(after)):
            raise reply.failure()


def lookup(digests: Sequence[str]) -> Steps[Lookup]:
    """What is known of the contents with these SHA-256 (hexadecimal, lower case), MOST_DIGESTS a request."""
    found: dict[str, Found] = {}
    saved = Decimal(0)
    different = list(dict.fromkeys(digests))
    for at in range(0, len(different), MOST_DIGESTS):
        body = msgspec.json.encode({"sha256": different[at : at + MOST_DIGESTS]})
        reply = yield from _asked(Ask("POST", "/api/lookup", {"Content-Type": "application/json"}, body=body))
        known = reply.read(_Known)
        saved += known.cost.saved_usd
        for one in known.analyses:
            found[one.sha256] = one
            if one.status == "known" and one.result is None:  # it did not fit into the answer
                alone = yield from _asked(Ask("GET", _path(one.sha256, one.kind)))
                if alone.status == 200:
                    analysis = _analysis(alone)
                    saved += analysis.cost.saved_usd
                    found[one.sha256] = msgspec.structs.replace(one, result=analysis.result, cost=analysis.cost)
                else:  # it has gone meanwhile
                    _check_unknown(alone)
                    found[one.sha256] = Found(sha256=one.sha256, status="unknown", kind=None, result=None, problem=None)
    return Lookup(found=tuple(found[digest] for digest in digests), cost=Cost(spent_usd=Decimal(0), saved_usd=saved))


class _Known(msgspec.Struct):
    analyses: tuple[Found, ...]
    cost: Cost


def get(sha256: str, kind: Kind | None) -> Steps[Analysis | None]:
    """The analysis of the content with this SHA-256; None when it is not known. What is being bought is waited for."""
    reply = yield from _asked(Ask("GET", _path(sha256, kind)))
    if reply.status == 200:
        return _analysis(reply)
    _check_unknown(reply)
    return None


def stats() -> Steps[Stats]:
    """The figures of the whole fleet."""
    return (yield from _asked(Ask("GET", "/api/admin/cache/stats"))).read(Stats)


def spend(days: int) -> Steps[Spend]:
    """Where the money of the last *days* went."""
    return (yield from _asked(Ask("GET", f"/api/admin/spend?days={days}"))).read(Spend)


def clear(pattern: str, *, reason: str, dry_run: bool) -> Steps[Clearing]:
    """Clear *pattern*, or count what that would remove. It may still be under way: see `progress`."""
    body = msgspec.json.encode({"pattern": pattern, "reason": reason, "dry_run": dry_run})
    ask = Ask("POST", "/api/admin/cache/clear", {"Content-Type": "application/json"}, body=body)
    if dry_run:
        return (yield from _asked(ask)).read(Clearing)
    for pause in _pauses():
        reply = yield ask
        if isinstance(reply, Reply):
            if reply.status in {200, 202}:
                return reply.read(Clearing)
            after = reply.retry_after
            if reply.status not in _BUSY or reply.problem() is None or after is None or not (yield Wait(after)):
                raise reply.failure()
        elif _lost(reply).stage != "unreached" or pause is None or not (yield Wait(pause)):
            raise _gave_up(_lost(reply))
    raise AssertionError("unreachable")


def progress(clearing: Clearing) -> Steps[Clearing]:
    """How far *clearing* is by now; after a short pause, so that it can be asked in a loop."""
    yield Wait(0.25)
    reply = yield from _asked(Ask("GET", f"/api/admin/cache/clears/{quote(clearing.id or '', safe='')}"))
    return msgspec.structs.replace(reply.read(Clearing), pattern=clearing.pattern)


def _asked(ask: Ask) -> Steps[Reply]:
    """The answer to what changes nothing, when there is one; raises Unreachable or TimedOut when there is none."""
    pauses = _pauses()
    while True:
        reply = yield ask
        if isinstance(reply, Reply):
            waits = reply.status == 202 or (reply.status in _BUSY and reply.problem() is not None)
            after = reply.retry_after
            if not waits or after is None:
                return reply
            if not (yield Wait(after)):
                if reply.status == 202:
                    raise TimedOut("the analysis was still under way at the deadline", maybe_bought=True)
                raise reply.failure()
        else:
            lost = _lost(reply)
            pause = next(pauses)
            if lost.stage == "late" or pause is None or not (yield Wait(pause)):
                raise _gave_up(lost)


def _pauses() -> Iterator[float | None]:
    """The pause after each try; None after the last."""
    yield from (_PAUSE * 4**number for number in range(TRIES - 1))
    yield None


def _lost(outcome: Lost | bool) -> Lost:  # noqa: FBT001 - what a driver sends back
    if isinstance(outcome, bool):
        raise TypeError("a request is answered with a reply, or lost")
    return outcome


def _gave_up(lost: Lost) -> Unreachable:
    if lost.stage == "late":
        return TimedOut("the deadline passed before there was an answer", maybe_bought=lost.complete)
    return Unreachable(lost.reason, maybe_bought=lost.complete)


def _path(sha256: str, kind: Kind | None) -> str:
    return f"/api/analyses/{sha256}" + (f"?kind={kind.value}" if kind is not None else "")


def _check_unknown(reply: Reply) -> None:
    """Raise what *reply* says, unless hashcache says that it does not know the content."""
    problem = reply.problem()
    if problem is None or problem.slug != "not-found":
        raise reply.failure()


def _analysis(reply: Reply, *, uploaded: int = 0) -> Analysis:
    told = reply.read(Analysis)
    age = reply.headers.get("age", "")
    ttl = [part for part in reply.headers.get("cache-status", "").split("; ") if part.startswith("ttl=")]
    return msgspec.structs.replace(
        told,
        uploaded=uploaded,
        key=reply.headers.get("x-cache-key"),
        age=int(age) if age.isdigit() else None,
        ttl=int(ttl[0][4:]) if ttl and ttl[0][4:].isdigit() else None,
    )


def _older_than_call(reply: Reply) -> bool:
    """Whether what was found had been bought before this call began."""
    age = reply.headers.get("age", "")
    return age.isdigit() and int(age) > reply.after
