"""
Many contents asked for by their digests at once: the body of such a question, and of its answer.

Rule 1: each content is named once in the answer, in the order of the question.
Rule 2: unknown, somebody else's, and being bought by somebody else are told alike.
Rule 3: an answer holds at most MOST_BYTES of results; what does not fit is named as known, and can be asked for alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hashcache.api import problems
from hashcache.api.arrival import read_json, whole
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import PRIVATE, json_response
from hashcache.core.digest import parse_sha256
from hashcache.core.money import FREE, MicroDollars, decimal
from hashcache.core.outcome import Outcome
from hashcache.engine.found import Found
from hashcache.service.failures import recall

MOST_DIGESTS = 1000
MOST_BYTES = 8_000_000
#: A digest with quotes, a comma and generous white space; larger bodies hold too many, or something else.
_MOST_BODY = MOST_DIGESTS * 100 + 1024
_MEDIA_TYPES = {"", "application/json"}


async def read_digests(request: Request, limits: Limits) -> list[str]:
    """
    The digests that *request* asks about, in lower case, each once.

    Raises:
        Problem: `malformed`, `unknown-field`, `bad-digest` (it says which), `unsupported-media-type`.
        ContentTooLarge, SpoolFull, ClientGone: as other bodies.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        raise Problem("unsupported-media-type", 'Send JSON: {"sha256": ["..."]}.')
    with closing(limits.room.share()) as share:
        sent = read_json(await whole(request, limits.pace, most=_MOST_BODY, share=share))
    if not isinstance(sent, dict):
        raise Problem("malformed", 'Send a JSON object: {"sha256": ["..."]}.')
    for field in sent:
        if field != "sha256":
            raise Problem("unknown-field", f'The field {field[:40]!r} is unknown: send {{"sha256": ["..."]}}.')
    asked = sent.get("sha256")
    if not isinstance(asked, list) or not 1 <= len(asked) <= MOST_DIGESTS:
        raise Problem("malformed", f"sha256 is a list of 1 to {MOST_DIGESTS} digests.")
    digests = [parse_sha256(one) if isinstance(one, str) else None for one in asked]
    wrong = [at for at, digest in enumerate(digests) if digest is None]
    if wrong:
        shown = ", ".join(f"sha256[{at}]" for at in wrong[:10]) + (" and more" if len(wrong) > 10 else "")
        raise Problem("bad-digest", f"Not 64 hexadecimal digits: {shown}.", members={"positions": wrong})
    return list(dict.fromkeys(digest for digest in digests if digest is not None))


def told(digests: Sequence[str], found: Sequence[Found]) -> tuple[Response, list[Outcome]]:
    """What was *found* of *digests*, as it goes out, and the outcomes whose results are in it."""
    given: list[Outcome] = []
    analyses = []
    left = MOST_BYTES
    for sha256, one in zip(digests, found, strict=True):
        status, kind, result, ttl, cost, problem = "unknown", None, None, None, None, None
        if one.outcome is not None:
            entry = one.outcome.entry
            status, kind, ttl = "known", entry.label.kind, entry.ttl(one.outcome.at)
            if len(entry.payload) <= left:
                left -= len(entry.payload)
                result = msgspec.Raw(entry.payload)
                cost = _cost(one.outcome.saved)
                given.append(one.outcome)
        elif one.pending:
            status = "pending"
        elif one.failure is not None:
            status, problem = "failed", problems.of(recall(one.failure)).type
        shown = {"sha256": sha256, "status": status, "kind": kind, "result": result, "ttl": ttl}
        analyses.append({**shown, "cost": cost, "problem": problem})
    body = {
        "success": True,
        "known": sum(one.outcome is not None for one in found),
        "analyses": analyses,
        "cost": _cost(MicroDollars(sum((one.saved for one in given), FREE))),
    }
    return json_response(body, headers=PRIVATE), given


def _cost(saved: MicroDollars) -> dict[str, str]:
    return {"spent_usd": "0", "saved_usd": decimal(saved)}
