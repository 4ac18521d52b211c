"""
Webhooks over HTTP: how they are asked for, and how what they tell is written.

Rule 1: a webhook tells what becomes of an analysis that nobody waits for: without `Prefer: respond-async`, or where
        nothing is kept that could be told, it is refused rather than passed over.
Rule 2: what is told is written as the answer to a GET is.
"""

from __future__ import annotations

from starlette.requests import Request

from hashcache.api import problems
from hashcache.api.problems import Problem
from hashcache.api.rendering import document
from hashcache.core.errors import ProviderError
from hashcache.core.letter import Hook
from hashcache.core.outcome import Outcome
from hashcache.service.webhooks import Webhooks


def hook_of(request: Request, webhooks: Webhooks | None, *, leave: bool, keep: bool) -> Hook | None:
    """
    The webhook that *request* asks for by `X-Webhook-Url`, if it does; *leave*: its client prefers to come back,
    *keep*: the answer is kept.

    Raises:
        Problem: `bad-webhook`, and so is WebhookRefused.
    """
    urls = request.headers.getlist("x-webhook-url")
    if not urls:
        return None
    if webhooks is None:
        raise Problem("bad-webhook", "There are no webhooks here: the operator must set HASHCACHE_WEBHOOK_ORIGINS.")
    if len(urls) > 1:
        raise Problem("bad-webhook", "Send X-Webhook-Url once.")
    if not leave:
        raise Problem(
            "bad-webhook", "X-Webhook-Url goes with Prefer: respond-async alone: else the answer is waited for."
        )
    if not keep:
        raise Problem("bad-webhook", "With no-store nothing is kept that a webhook could tell.")
    return webhooks.ask(urls[0], request.scope["request_id"])


class HookWriter:
    """The `service.delivery.Writer`."""

    def answer(self, outcome: Outcome) -> bytes:
        """The answer."""
        return document(outcome)

    def problem(self, error: ProviderError | None, request: str) -> bytes:
        """What *error* is answered with; None: that nothing is known."""
        problem = problems.of(error) if error is not None else problems.unknown()
        return problem.document(request)
