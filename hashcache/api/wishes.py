"""
What a client wishes of the cache: refresh, no-store, only-if-cached, to be told later.

Rule: these headers are read here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from hashcache.api.hooks import hook_of
from hashcache.api.problems import Problem
from hashcache.core.letter import Hook
from hashcache.service.webhooks import Webhooks

#: The headers in which a client wishes something.
WISHES = ("cache-control", "prefer", "x-force-refresh", "x-cache-tags", "x-webhook-url")
_MOST_TAGS = 8
_TAG = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What the client asks of the cache (RFC 9111 section 5.2.1, and X-Force-Refresh). *leave*: it prefers to come back
    for the answer (RFC 7240 section 4.1); *hook* tells it then. *tags*: what is bought for this client alone can be
    invalidated by them.
    """

    refresh: bool
    keep: bool
    only_cached: bool
    leave: bool
    tags: tuple[str, ...] = ()
    hook: Hook | None = None

    @classmethod
    def of(cls, request: Request, webhooks: Webhooks | None) -> Wishes:
        """
        As *request* says; *webhooks*: who delivers them, None: nobody.

        Raises:
            Problem: `malformed`: X-Force-Refresh is neither true nor false, or X-Cache-Tags no list of tags; and as
                `hook_of`.
        """
        headers = request.headers
        if not any(name in headers for name in WISHES):  # as most are
            return _NONE
        directives = {
            one.strip().lower() for value in request.headers.getlist("cache-control") for one in value.split(",")
        }
        preferences = {
            one.partition(";")[0].strip().lower()
            for value in request.headers.getlist("prefer")
            for one in value.split(",")
        }
        forced = request.headers.get("x-force-refresh", "false").strip().lower()
        if forced not in {"true", "false", "1", "0"}:
            raise Problem("malformed", "X-Force-Refresh is either true or false.")
        keep, leave = "no-store" not in directives, "respond-async" in preferences
        return cls(
            refresh=forced in {"true", "1"} or "no-cache" in directives,
            keep=keep,
            only_cached="only-if-cached" in directives,
            leave=leave,
            tags=_tags(request.headers.getlist("x-cache-tags")),
            hook=hook_of(request, webhooks, leave=leave, keep=keep),
        )


_NONE = Wishes(refresh=False, keep=True, only_cached=False, leave=False)


def _tags(values: list[str]) -> tuple[str, ...]:
    """The tags that the values of `X-Cache-Tags` list, each once; raises Problem `malformed`."""
    listed = [part.strip(" ") for value in values if value.strip(" ") for part in value.split(",")]
    tags = tuple(dict.fromkeys(listed))
    if len(listed) > _MOST_TAGS or not all(_TAG.fullmatch(tag) for tag in tags):
        shape = "parted by commas, each of 1 to 64 of A-Z, a-z, 0-9 and _.:/-"
        raise Problem("malformed", f"X-Cache-Tags lists at most {_MOST_TAGS} tags, {shape}.")
    return tags
