"""
What a vendor means by a reply that is no answer, as far as its status and its `Retry-After` tell.

Rule 1: a status has one meaning for all vendors; what an adapter knows better is read in `explaining`.
Rule 2: a message names the provider, and never an address, a header, a key or a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
)

#: The longest pause that we let a vendor ask for, in seconds.
LONGEST_PAUSE = 3600.0


def refusal(provider: str, status: int, headers: Mapping[str, str]) -> ProviderError | None:
    """
    What a reply's status means; None for 2xx. *headers* are looked up in lower case.

    A gateway's 502 and 504 may stand before an analysis that was made and billed; other errors are the vendor's own.
    """
    if 200 <= status < 300:
        return None
    pause = retry_after(headers)
    if status == 429 or (status == 503 and pause is not None):
        return ProviderThrottled(provider, f"{provider} asked us to come back later ({status})", retry_after=pause)
    if status >= 500 or status in {408, 425}:
        paid = status in {502, 504}
        return ProviderFailed(provider, f"{provider} failed with status {status}", possibly_paid=paid)
    if status in {401, 402, 403}:
        return ProviderDenied(provider, f"{provider} refuses our account ({status}): check its key, credit and rights")
    if status in {400, 413, 415, 422}:
        return ProviderRejected(provider, f"{provider} refuses this content ({status})")
    if status >= 400:
        return ProviderInvalid(provider, f"{provider} answered {status}: check its URL")
    return ProviderInvalid(provider, f"{provider} answered with status {status}; redirects are not followed")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """
    The seconds of a `Retry-After` (RFC 9110 section 10.2.3), at most LONGEST_PAUSE; None without a readable one.

    A date is measured against the reply's own `Date`, so no clock of ours is asked.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_PAUSE)
    try:
        pause = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(pause.total_seconds(), 0.0), LONGEST_PAUSE)
