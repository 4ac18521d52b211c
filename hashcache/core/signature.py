"""
How a webhook is signed: Standard Webhooks 1.0.0 (github.com/standard-webhooks), "Signature scheme", symmetric.

Rule: each secret gives one signature, so that receivers may change theirs one by one while two are in use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


def signatures(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> str:
    """
    The field `webhook-signature` for the *body* that is sent as *message* (`webhook-id`, which holds no full stop) at
    *timestamp* (`webhook-timestamp`, seconds since 1970), by each of *secrets*.
    """
    content = f"{message}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, content, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
