"""
Webhooks, as settings hold them: where they may go, and the secrets that sign them.

Rule 1: an origin is allowed by its whole name: there is no wildcard. One that is an address must be of the open
        internet, or of this machine itself, which then is meant.
Rule 2: secrets are written as Standard Webhooks writes them, so that a receiver's library takes the same text.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from hashcache.core.errors import WebhookRefused
from hashcache.core.internet import is_public
from hashcache.core.target import Origin, Target
from hashcache.settings import shapes
from hashcache.settings.knob import Knob
from hashcache.settings.shapes import Malformed

_SECRET = re.compile(r"whsec_([A-Za-z0-9+/]{4,128}={0,2})")
#: Of a secret, in bytes (Standard Webhooks, "Signature scheme").
_LEAST, _MOST = 24, 64
_WORDS = "must be one or more secrets of 24 to 64 random bytes in base64 after whsec_, parted by a blank"


def origins(text: str) -> tuple[Origin, ...]:
    """Origins such as `https://hooks.example.com`, parted by commas."""
    return tuple(dict.fromkeys(_origin(part.strip()) for part in text.split(",")))


def secrets(text: str) -> tuple[bytes, ...]:
    """`whsec_<base64>`, or several parted by blanks: each signs."""
    found = tuple(_secret(part) for part in text.split())
    if len(set(found)) < len(found):
        raise Malformed("must hold each secret once")
    return found


def check_webhooks(values: Mapping[str, Any], _: Mapping[str, str]) -> list[str]:
    """What is missing, a line each."""
    if values["webhook_origins"] is None:
        return []
    problems = []
    why = "HASHCACHE_WEBHOOK_ORIGINS is set"
    if values["webhook_secrets"] is None:
        knob = next(one for one in WEBHOOKS if one.into == "webhook_secrets")
        problems.append(f"{knob.name} is missing, but {why}: it signs; for example {knob.name}={knob.example}")
    if values["store.url"] == "off":
        problems.append(f"HASHCACHE_STORE is off, but {why}: what is to be sent is kept there; for example memory://")
    return problems


def _origin(text: str) -> Origin:
    words = "must be a list, parted by commas, of https:// origins (http:// for this machine) without a path"
    try:
        target = Target.parse(text)
    except WebhookRefused:
        raise Malformed(words) from None
    if target.path != "/" or "?" in text:
        raise Malformed(words)
    try:
        address = ipaddress.ip_address(target.origin.host.strip("[]"))
    except ValueError:
        return target.origin
    if not (target.origin.local or is_public(address)):
        raise Malformed("must not name an address inside a private network")
    return target.origin


def _secret(text: str) -> bytes:
    found = _SECRET.fullmatch(text)
    try:
        secret = base64.b64decode(found[1] if found else "", validate=True)
    except binascii.Error:
        raise Malformed(_WORDS) from None
    if not _LEAST <= len(secret) <= _MOST:
        raise Malformed(_WORDS)
    if len(set(secret)) < 6:
        raise Malformed("must be random, not a sample that everybody knows")
    return secret


WEBHOOKS = (
    Knob("HASHCACHE_WEBHOOK_ORIGINS", "webhook_origins", origins,
         "Where webhooks may be sent, parted by commas: whole origins, `https://`, or of this machine also `http://`. "
         "Unset: there are no webhooks.", "https://hooks.example.com,https://app.example.com:8443"),
    Knob("HASHCACHE_WEBHOOK_SECRET", "webhook_secrets", secrets,
         "Signs webhooks (Standard Webhooks). Two, parted by a blank, sign both: to change it, put the new one first, "
         "change the receivers, take the old one out.", "$(echo whsec_$(openssl rand -base64 32))", secret=True),
    Knob("HASHCACHE_WEBHOOK_WAITING", "webhook_waiting", shapes.whole(least=1, most=1_000_000),
         "How many webhooks may wait to be delivered, in all: for their analysis, or for their receiver.",
         "50000", "10000"),
    Knob("HASHCACHE_WEBHOOK_TENANT_WAITING", "webhook_tenant_waiting", shapes.whole(least=1, most=1_000_000),
         "The same of one tenant.", "5000", "1000"),
)  # fmt: skip
