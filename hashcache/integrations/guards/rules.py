"""
The shapes of secrets: one rule each, fixed, with the document that it comes from.

Rule 1: time is linear in the text, whatever the text is. A pattern begins with letters that are searched for, a
        quantifier gives nothing back (`+` behind it: possessive) or has an upper bound, and no two that follow each
        other accept the same letters.
Rule 2: a shape alone does not do where ordinary text has it too: `accepts` looks closer. Placeholders (`sk_live_xxxx`,
        `user:password@`, AWS's own EXAMPLE keys) are no secrets.
Rule 3: what is replaced when a secret is redacted is the group `secret`. It never holds a quotation mark or a
        backslash, so it ends where its string ends.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

_DISTINCT = 8
_BODY_OF_KEY = re.compile(rb"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]{32}")
_PLACEHOLDER = re.compile(
    rb"[*.x_-]+|(?:\xe2\x80\xa6)+|[\[<{].*|\$\{.*|\$[a-z_]+|%[sdv(].*|.*(?:example|placeholder|redacted|changeme).*"
    rb"|(?:your|my|the|some)?[_-]?(?:user)?[_-]?(?:pass|passwd|password|passphrase|pwd|pw|secret|token|key|api[_-]?key)",
    re.IGNORECASE | re.DOTALL,
)


def varied(secret: bytes) -> bool:
    """Whether its letters differ as chance has it; those of a placeholder (`xxxx`, `1234`) do not."""
    letters = set(secret)
    return len(letters) >= _DISTINCT and max(map(secret.count, letters)) * 2 < len(secret) and b"EXAMPLE" not in secret


def _mixed(secret: bytes) -> bool:
    """Capital and small letters and digits: no slug, no word, no hexadecimal digest."""
    cases = (any(65 <= one <= 90 for one in secret), any(97 <= one <= 122 for one in secret))
    return varied(secret) and all(cases) and any(48 <= one <= 57 for one in secret)


def _with_digit(secret: bytes) -> bool:
    return varied(secret) and any(48 <= one <= 57 for one in secret)


def _password(secret: bytes) -> bool:
    return not _PLACEHOLDER.fullmatch(secret)


def _credentials(secret: bytes) -> bool:
    """What follows the name of a scheme, unless it is a word: `Bearer authentication`, `Basic YOUR_TOKEN`."""
    try:
        if b":" in base64.b64decode(secret, validate=True):
            return True  # as RFC 7617 writes user and password
    except binascii.Error:
        pass
    if b"YOUR" in secret.upper() or _PLACEHOLDER.fullmatch(secret):
        return False
    return len(set(secret)) >= _DISTINCT and (any(48 <= one <= 57 for one in secret) or _long_and_cased(secret))


def _long_and_cased(secret: bytes) -> bool:
    return len(secret) >= 20 and secret != secret.lower() and secret != secret.upper()


def _token_of_json(secret: bytes) -> bool:
    """Whether the first part is a JOSE header: JSON with an `alg` (RFC 7515, section 4.1.1)."""
    header = secret.partition(b".")[0]
    try:
        told = msgspec.json.decode(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("alg"), str)


def _private_key(secret: bytes) -> bool:
    """Whether there is a key behind the heading; a text may well speak of the heading."""
    return _BODY_OF_KEY.search(secret) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One shape of secrets, called *name* in counters.

    *hints*: a text without any of them, in lower case, has none of these secrets. *pattern* has a group `secret`,
    which *accepts* may still refuse. *source*: who says that secrets look like this.
    """

    name: str
    hints: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    source: str
    accepts: Callable[[bytes], bool] = varied


def _token(first: bytes, rest: bytes, *, after: bytes = rb"A-Za-z0-9_") -> bytes:
    """
    A pattern of what begins with *first*, of fixed width, unless it stands behind a letter of the class *after*.

    That is looked at after *first* has matched: so it is found as fast as a substring.
    """
    return rb"(?P<secret>%b(?<![%b]%b)%b)" % (first, after, first, rest)


#: In the order in which they name what several of them find.
RULES: tuple[Rule, ...] = (
    Rule(
        "private_key",
        (b"private key",),
        re.compile(
            rb"(?P<secret>-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?+-----"
            rb"(?:(?!-----(?:BEGIN|END) )[A-Za-z0-9+/=\s:,.;()@<>_-])*+"
            rb"(?:-----END (?:[A-Z0-9]{1,16}+ ){0,5}+[A-Z]{1,16}+-----)?+)"
        ),
        "RFC 7468, sections 10 and 11; RFC 9580, section 6.2; OpenSSH, PROTOCOL.key",
        _private_key,
    ),
    Rule(
        "aws_access_key_id",
        (b"akia", b"asia"),
        re.compile(_token(rb"A", rb"[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9+/])", after=rb"A-Za-z0-9+/")),
        "AWS, IAM User Guide: IAM identifiers, unique ID prefixes",
    ),
    Rule(
        "aws_secret_access_key",
        (b"secret", b"akia", b"asia"),
        re.compile(
            rb"(?:[Ss](?i:ecret[_. -]{0,2}+(?:access[_. -]{0,2}+)?+key)|A[KS]IA[A-Z2-7]{16})[^A-Za-z0-9+/]{1,16}+"
            rb"(?P<secret>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"
        ),
        "AWS, IAM User Guide: Manage access keys for IAM users (40 characters, beside the access key id)",
        _mixed,
    ),
    Rule(
        "github_token",
        (b"ghp_", b"gho_", b"ghu_", b"ghr_", b"ghs_", b"github_pat_"),
        re.compile(
            _token(
                rb"g",
                rb"(?:h[pour]_[A-Za-z0-9]{36,251}+(?![A-Za-z0-9_])|hs_[A-Za-z0-9._-]{36,2048}+"
                rb"|ithub_pat_[A-Za-z0-9_]{60,250}+)",
            )
        ),
        "GitHub Docs: About authentication to GitHub, token formats; GitHub Changelog of 2026-05-15 (longer ghs_)",
    ),
    Rule(
        "gitlab_token",
        (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-", b"gloas-", b"glagent-", b"glsoat-", b"glft-"),
        re.compile(
            _token(
                rb"gl",
                rb"(?:pat|dt|rt|ptt|cbt|oas|agent|soat|ft)-[A-Za-z0-9_-]{20,300}+(?:\.[A-Za-z0-9]{2,9}+){0,2}+",
            )
        ),
        "GitLab Docs: GitLab token overview, token prefixes",
        _with_digit,
    ),
    Rule(
        "slack_token",
        (b"xox", b"xapp-"),
        re.compile(_token(rb"x", rb"(?:ox[abcdeprs]|app)-[A-Za-z0-9%-]{20,2048}+")),
        "Slack API docs: Tokens, token types",
        _with_digit,
    ),
    Rule(
        "stripe_key",
        (b"k_live_",),
        re.compile(_token(rb"[rs]", rb"k_live_[A-Za-z0-9]{16,250}+")),
        "Stripe Docs: API keys, key types",
    ),
    Rule(
        "google_api_key",
        (b"aiza",),
        re.compile(_token(rb"AIza", rb"[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", after=rb"A-Za-z0-9_-")),
        "Google Cloud Docs: Manage API keys (39 characters)",
    ),
    Rule(
        "anthropic_key",
        (b"sk-ant-",),
        re.compile(_token(rb"sk-ant-", rb"[a-z0-9]{3,16}+-[A-Za-z0-9_-]{32,512}+")),
        "Claude Docs: Administration API, API keys",
        _mixed,
    ),
    Rule(
        "openai_key",
        (b"sk-",),
        re.compile(
            _token(
                rb"sk-",
                rb"(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{40,512}+|[A-Za-z0-9]{48}(?![A-Za-z0-9]))",
            )
        ),
        "OpenAI, API reference: Authentication; Admin API keys; Project service accounts",
        _mixed,
    ),
    Rule(
        "sendgrid_key",
        (b"sg.",),
        re.compile(_token(rb"SG\.", rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")),
        "Twilio SendGrid Docs: API keys (69 characters in three parts)",
    ),
    Rule(
        "twilio_key",
        (b"sk",),
        re.compile(_token(rb"SK", rb"[0-9a-f]{32}(?![A-Za-z0-9])")),
        "Twilio Docs: String identifier (SID), 34 characters; API keys overview",
    ),
    Rule(
        "npm_token",
        (b"npm_",),
        re.compile(_token(rb"npm_", rb"[A-Za-z0-9]{36}(?![A-Za-z0-9])")),
        "GitHub Changelog of 2021-09-23: npm has a new access token format",
    ),
    Rule(
        "pypi_token",
        (b"pypi-age",),
        re.compile(_token(rb"pypi-AgE", rb"[A-Za-z0-9_-]{50,2048}+")),
        "PyPI Help: API tokens (a macaroon in base64url behind `pypi-`)",
    ),
    Rule(
        "jwt",
        (b"eyj", b"eya", b"ewo", b"ewk", b"ew0"),  # a brace, and a quotation mark, blank or new line behind it
        re.compile(
            _token(
                rb"e",
                rb"[yw][A-Za-z0-9_-]{8,8192}+\.[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+){1,3}+",
                after=rb"A-Za-z0-9_-",
            )
        ),
        "RFC 7515, sections 3.1 and 7.1; RFC 7516, section 7.1; RFC 7519",
        _token_of_json,
    ),
    Rule(
        "url_password",
        (b"://",),
        re.compile(rb"://[^\s/?#:@\"'<>\\]{0,256}+:(?P<secret>[^\s/?#@\"'<>\\]{1,512}+)@[A-Za-z0-9\[]"),
        "RFC 3986, section 3.2.1",
        _password,
    ),
    Rule(
        "authorization",
        (b"authorization",),
        re.compile(
            rb"[Aa](?i:uthorization)[\s\"'\\]{0,8}+[:=,][\s\"'\\\[]{0,8}+(?i:bearer|basic|token|apikey|negotiate)"
            rb"[ \t]{1,8}+(?P<secret>[A-Za-z0-9._~+/=-]{8,8192}+)"
        ),
        "RFC 9110, section 11.6.2; RFC 6750, section 2.1; RFC 7617, section 2",
        _credentials,
    ),
)
