"""
Secrets in answers: each rule finds its own, none finds what is no secret, and none shows what it found.

No secret stands here in one piece, so that nobody's scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.integrations.guards.guard import ENTROPY, MOST, UNSEARCHED, Guard, OnSecret, find_secrets, redact
from hashcache.integrations.guards.rules import RULES

WORD = "a7Qz0PmX4kLw9RbT2vNc8JdY5sHg1FeU6iBo3ZyK" * 8
UPPER = "Q7XM2PLA4WBN5ZCE3KDJ6"
HEX = hashlib.sha256(b"twilio").hexdigest()


def base64url(raw: bytes) -> str:
    """Without padding, as JOSE wants it."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


JWT = ".".join((base64url(b'{"alg":"HS256","typ":"JWT"}'), base64url(b'{"sub":"ada"}'), WORD[:43]))
JWE = ".".join((base64url(b'{ "alg":"dir","enc":"A128GCM" }'), "", WORD[:16], WORD[:30], WORD[:22]))
PEM_BODY = "\n".join(WORD[at : at + 64] for at in range(0, 256, 64))


def pem(kind: str, body: str = PEM_BODY) -> str:
    """A private key of this kind, as RFC 7468 writes it."""
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


#: rule, the secret, and what stands around it
SECRETS = [
    ("private_key", pem("PRIVATE" + " KEY"), "the key is\n{}\nkeep it"),
    (
        "private_key",
        pem("RSA PRIVATE" + " KEY", f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{PEM_BODY}"),
        "{}",
    ),
    ("private_key", pem("OPENSSH PRIVATE" + " KEY"), "{}"),
    ("private_key", pem("PGP PRIVATE" + " KEY BLOCK"), "{}"),
    ("aws_access_key_id", "AK" + "IA" + UPPER[:16], "aws_access_key_id = {}"),
    ("aws_access_key_id", "AS" + "IA" + UPPER[:16], "<AccessKeyId>{}</AccessKeyId>"),
    ("aws_secret_access_key", WORD[:19] + "/" + WORD[:19] + "+", "aws_secret_access_key = {}"),
    ("aws_secret_access_key", WORD[:40], "<SecretAccessKey>{}</SecretAccessKey>"),
    ("github_token", "gh" + "p_" + WORD[:36], "git clone with {}."),
    ("github_token", "gh" + "o_" + WORD[:36], "{}"),
    ("github_token", "gh" + "u_" + WORD[:36], "token={}&x=1"),
    ("github_token", "gh" + "r_" + WORD[:76], "{}"),
    ("github_token", "gh" + "s_" + WORD[:36], "{}"),
    ("github_token", "gh" + f"s_{WORD[:80]}.{WORD[:300]}.{WORD[:20]}_-{WORD[:20]}", "{} "),
    ("github_token", "github" + f"_pat_{WORD[:22]}_{WORD[:59]}", "{}"),
    ("gitlab_token", "gl" + "pat-" + WORD[:20], "{}"),
    ("gitlab_token", "gl" + f"pat-{WORD[:40]}.01.{WORD[:9]}", "{}"),
    ("gitlab_token", "gl" + "rt-" + WORD[:20], "{}"),
    ("slack_token", "xo" + f"xb-1234567890-1234567890-{WORD[:24]}", "{}"),
    ("slack_token", "xo" + f"xp-1-{WORD[:80]}", "{}"),
    ("slack_token", "xa" + f"pp-1-A0123456789-1234567890-{WORD[:64]}", "{}"),
    ("stripe_key", "sk" + "_live_" + WORD[:24], "STRIPE={}"),
    ("stripe_key", "rk" + "_live_" + WORD[:99], "{}"),
    ("google_api_key", "AI" + "za" + WORD[:30] + "-_" + WORD[:3], "https://maps.example/js?key={}&v=3"),
    ("openai_key", "sk" + "-" + WORD[:48], "{}"),
    ("openai_key", "sk" + f"-proj-{WORD[:74]}_-{WORD[:74]}", "{}"),
    ("openai_key", "sk" + f"-svcacct-{WORD[:120]}", "{}"),
    ("anthropic_key", "sk" + f"-ant-api03-{WORD[:90]}-_AA", "{}"),
    ("anthropic_key", "sk" + f"-ant-admin01-{WORD[:90]}", "{}"),
    ("sendgrid_key", "SG" + f".{WORD[:22]}.{WORD[:43]}", "{}"),
    ("twilio_key", "S" + "K" + HEX[:32], "{}"),
    ("npm_token", "np" + "m_" + WORD[:36], "//registry.example/:_authToken={}"),
    ("pypi_token", "py" + "pi-AgE" + "IcHlwaS5vcmcC" + WORD[:150], "{}"),
    ("jwt", JWT, "session={};"),
    ("jwt", JWE, "{}"),
    ("jwt", base64url(b'{"alg":"none"}') + ".e30.", "{}"),
    ("url_password", "hunter2", "postgres://ada:{}@db.example:5432/app"),
    ("url_password", "p%40ss:w0rd!", "redis://:{}@cache.example"),
    ("url_password", "correct-horse", "amqp://guest:{}@[::1]/"),
    ("authorization", WORD[:32], "Authorization: Bearer {}"),
    ("authorization", base64.b64encode(b"ada:lovelace").decode(), "curl -H 'authorization: Basic {}'"),
    ("authorization", WORD[:20], "AUTHORIZATION=Token {}"),
]
#: secrets within JSON, as it may be written
WRITINGS: list[tuple[str, Callable[[str], str]]] = [
    ("text", lambda text: text),
    ("json", lambda text: json.dumps({"a": [text, 1.50]})),
    ("key", lambda text: json.dumps({text: None})),
    ("json in json", lambda text: json.dumps({"a": json.dumps({"b": text})})),
    ("json in json in json", lambda text: json.dumps(json.dumps(json.dumps([text])))),
    ("all escaped", lambda text: '["' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"]'),
    ("solidus", lambda text: json.dumps({"ü\n": text}).replace("/", "\\/").replace("-", "\\u002D")),
]


def test_every_rule_has_a_source_and_a_case() -> None:
    """No rule without a document that says so, none that is not tried, no two of one name."""
    assert [rule.name for rule in RULES if not rule.source] == []
    assert {name for name, _, _ in SECRETS} == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("rule", "secret", "around"), SECRETS)
@pytest.mark.parametrize(("writing", "write"), WRITINGS, ids=[name for name, _ in WRITINGS])
def test_each_is_found_and_taken_out(
    rule: str, secret: str, around: str, writing: str, write: Callable[[str], str]
) -> None:
    """By its rule and once, however it is written; what is redacted reads as before but for the secret."""
    payload = write(around.format(secret)).encode()
    assert find_secrets(payload) == {rule: 1}
    clean = redact(payload)
    assert clean is not None
    assert clean.found == {rule: 1}
    assert find_secrets(clean.payload) == {}
    expected = write(around.format(f"[secret: {rule}]"))
    if writing == "text":
        assert clean.payload.decode() == expected
    else:
        assert json.loads(clean.payload) == json.loads(expected)


@pytest.mark.parametrize(("rule", "secret", "around"), SECRETS)
def test_a_secret_within_a_word_is_none(rule: str, secret: str, around: str) -> None:
    """A shape in the midst of letters, as in a long base64, is chance; what is marked by its context has no word."""
    if rule in ("private_key", "aws_secret_access_key", "url_password", "authorization"):
        return
    assert find_secrets(f"zz{secret}".encode()) == {}


def test_context_in_structure() -> None:
    """Names and values of JSON are context as well: headers as objects and as pairs, credentials of AWS."""
    bearer = f"Bearer {WORD[:40]}"
    assert find_secrets(json.dumps({"Authorization": bearer}).encode()) == {"authorization": 1}
    assert find_secrets(json.dumps([["authorization", bearer]], indent=2).encode()) == {"authorization": 1}
    aws = {"AccessKeyId": "AK" + "IA" + UPPER[:16], "SecretAccessKey": WORD[:40]}
    clean = redact(json.dumps({"n": 1.0, **aws}).encode())
    assert clean is not None
    assert json.loads(clean.payload) == {
        "n": 1.0,
        "AccessKeyId": "[secret: aws_access_key_id]",
        "SecretAccessKey": "[secret: aws_secret_access_key]",
    }


def test_several_are_counted_each() -> None:
    """By rule; what two rules see counts for both, and is replaced once, by the first of them."""
    one, two = "gh" + "p_" + WORD[:36], "gh" + "p_" + WORD[1:37]
    payload = f"{one} {two} {one}, Authorization: Bearer {JWT}".encode()
    clean = redact(payload)
    assert clean is not None
    assert clean.found == find_secrets(payload) == {"github_token": 3, "jwt": 1, "authorization": 1}
    assert (
        clean.payload == b"[secret: github_token] " * 2 + b"[secret: github_token], Authorization: Bearer [secret: jwt]"
    )


rng = random.Random(7)  # noqa: S311 - chance that is the same each time, for no secret
PICTURE = base64.b64encode(rng.randbytes(200_000)).decode()
ORDINARY = {
    "an analysis": json.dumps(
        {
            "verdict": "ai",
            "score_ai": 0.9731,
            "model": "general-2026-05",
            "explanation": "Six fingers; the light "
            "falls from two sides. See https://example.com:8080/a@b?c=d and mail ada@example.com.",
            "boxes": [[0.12, 0.5, 0.25, 0.99]],
            "sha256": hashlib.sha256(b"").hexdigest(),
        }
    ),
    "identifiers": " ".join(str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(500)),
    "digests": " ".join(hashlib.new(name, b"x").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")),
    "integrity": "sha384-" + base64.b64encode(rng.randbytes(48)).decode(),
    "a picture": json.dumps({"image": f"data:image/png;base64,{PICTURE}"}),
    "a picture, base64url": base64.urlsafe_b64encode(rng.randbytes(200_000)).decode(),
    "bytes": rng.randbytes(100_000).decode("latin-1"),
    "prose": "The risk-analysis of sk-learn and task-force. A disk-proj-ection. Keys begin with sk_live_ or AKIA, "
    "tokens with ghp_, xoxb-, glpat- or npm_; a secret key is 40 characters. Authorization: Bearer authentication "
    "is described in RFC 6750, Basic authentication in RFC 7617: authorization: basic authentication required.",
    "a slug": "https://example.com/sk-proj-a-long-slug-of-many-words-about-a-project-of-ours-from-2026/",
    "headings": "A PEM file begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.",
    "public keys": f"-----BEGIN PUBLIC KEY-----\n{PEM_BODY}\n-----END PUBLIC KEY-----\n",
    "certificates": f"-----BEGIN CERTIFICATE-----\n{PEM_BODY}\n-----END CERTIFICATE-----\n",
    "placeholders": "postgres://user:password@host redis://:${REDIS_PASSWORD}@host amqp://a:<password>@b "
    "http://u:***@h https://user:pass@example.com mysql://u:$PASSWORD@h ftp://a:your-password@b "
    "Authorization: Bearer YOUR_ACCESS_TOKEN "
    f"sk_{'live'}_{'x' * 24} ghp_{'x' * 36} AKIA{'IOSFODNN7'}EXAMPLE Authorization: Bearer <token> Bearer ...",
    "three parts": "www.example.com eye.witness.news eyJub3QiOiJhIGhlYWRlciJ9.e30.e30 v1.2.3 a.b.c.d",
    "numbers": json.dumps([rng.random() for _ in range(500)] + [10**40, -(10**60)]),
    "nothing": "",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_answers_hold_none(name: str) -> None:
    """Neither as they are nor as a string of JSON; and they are kept byte for byte."""
    payload = ORDINARY[name].encode()
    assert find_secrets(payload) == {}
    assert find_secrets(json.dumps(ORDINARY[name]).encode()) == {}
    for what in OnSecret:
        assert Guard(what).judge(payload).payload == payload


def test_an_escape_is_no_letter() -> None:
    """A new line and `pm_...` is no token of npm, though JSON writes it with an n; after one, a token is one."""
    assert find_secrets(json.dumps("\n" + "pm_" + WORD[:36]).encode()) == {}
    assert find_secrets(json.dumps("\nnp" + "m_" + WORD[:36]).encode()) == {"npm_token": 1}


def test_entropy_is_asked_for() -> None:
    """Off by default. At its threshold it sees a key of no known shape, but no digest, identifier or picture."""
    payload = json.dumps({"key": WORD[:40], "n": 1}).encode()
    assert find_secrets(payload) == {}
    assert find_secrets(payload, entropy=ENTROPY) == {"entropy": 1}
    clean = redact(payload, entropy=ENTROPY)
    assert clean is not None
    assert json.loads(clean.payload) == {"key": "[secret: entropy]", "n": 1}
    assert Guard(entropy=ENTROPY).judge(payload).payload is None
    for name in ("identifiers", "digests", "a picture", "a picture, base64url", "prose", "numbers"):
        assert find_secrets(ORDINARY[name].encode(), entropy=ENTROPY) == {}


def test_json_is_never_broken() -> None:
    """Where taking something out would leave no JSON (a number, at a threshold of somebody's own), nothing is kept."""
    payload = b'{"n": 12345678901234567890e5}'
    assert find_secrets(payload, entropy=2.0) == {"entropy": 1}
    assert redact(payload, entropy=2.0) is None
    assert Guard(OnSecret.REDACT, entropy=2.0).judge(payload).payload is None


def test_what_is_too_long_is_not_searched() -> None:
    """It counts as such: neither kept nor redacted; encrypted it may be."""
    payload = b"a " * (MOST // 2) + b"b"
    assert find_secrets(payload[:-1]) == {}
    assert find_secrets(payload) == {UNSEARCHED: 1}
    assert find_secrets(payload, most=MOST + 1) == {}
    assert redact(payload) is None
    assert Guard().judge(payload).payload is None
    assert Guard(OnSecret.REDACT).judge(payload).payload is None
    assert Guard(OnSecret.ENCRYPT).judge(payload).encrypt


def test_what_becomes_of_it() -> None:
    """Skipped by default; or kept without the secret; or as it is, under the user's own key only."""
    secret = "gh" + "p_" + WORD[:36]
    payload = f"token {secret}".encode()
    assert Guard().judge(payload).payload is None
    redacted = Guard(OnSecret("redact")).judge(payload)
    assert (redacted.payload, redacted.encrypt) == (b"token [secret: github_token]", False)
    encrypted = Guard(OnSecret.ENCRYPT).judge(payload)
    assert (encrypted.payload, encrypted.encrypt) == (payload, True)
    assert not Guard(OnSecret.ENCRYPT).judge(b"nothing").encrypt


def test_nothing_tells_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    """No repr, no record of the log; a count by rule is all there is."""
    secret = "gh" + "p_" + WORD[:36]
    payload = f"token {secret}".encode()
    with caplog.at_level(logging.DEBUG):
        verdicts = [Guard(what).judge(payload) for what in OnSecret]
    for verdict in verdicts:
        assert WORD[:10] not in repr(verdict)
        assert verdict.found == {"github_token": 1}
    assert WORD[:10] not in repr(find_secrets(payload)) + repr(redact(payload)) + caplog.text


def test_settings_that_make_no_sense_are_refused() -> None:
    """At once, not at the first answer."""
    with pytest.raises(ValueError, match="bits"):
        Guard(entropy=0)
    with pytest.raises(ValueError, match="hide"):
        Guard("hide")  # type: ignore[arg-type] - as one who does not check types would


PIECES = st.sampled_from(
    [secret for _, secret, _ in SECRETS]
    + [
        "\\",
        '"',
        "\\n",
        "\\u002d",
        "\\\\",
        "-",
        ".",
        "/",
        ":",
        "@",
        "://",
        "ey",
        "sk-",
        "npm_",
        "é",
        " ",
        "secret key ",
        "{",
        "}",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redacting_is_done_once(text: str) -> None:
    """Whatever stands beside what: nothing is found afterwards, and JSON stays JSON of the same shape."""
    for payload in (text.encode(), json.dumps([text, {text: 1}]).encode()):
        clean = redact(payload)
        assert clean is None or find_secrets(clean.payload) == {}
        assert clean is None or clean.found == find_secrets(payload)
    assert clean is not None
    shape = json.loads(clean.payload)
    assert isinstance(shape[0], str)
    assert list(shape[1].values()) == [1]


@given(st.binary(max_size=300))
def test_any_bytes_are_searched(payload: bytes) -> None:
    """What is no text raises nothing, and is left as it is when there is nothing in it."""
    if not find_secrets(payload, entropy=ENTROPY):
        clean = redact(payload, entropy=ENTROPY)
        assert clean is not None
        assert clean.payload == payload


#: What a pattern might go back and forth over, by beginnings, separators and near misses of each rule.
EVIL = [
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN A A A A", "-----BEGIN PRIVATE KEY-----\n-", "-----END A "),
    *("AKIA", "AKIAA", "secret_key", "secret key=", "secret_key=" + "a" * 39 + " ", "secret access "),
    *("ghp_", "ghs_.", "github_pat_", "glpat-", "glpat-" + "a" * 20 + ".", "xoxb-", "sk_live_", "AIza", "npm_"),
    *("sk-ant-", "sk-ant-a-", "sk-proj-", "sk-", "SG.", "SG." + "a" * 22 + ".", "SK", "SK0", "pypi-AgE"),
    *(
        "ey.",
        "eyJ",
        "eyJ0.",
        "eyJhbGciOi.",
        "eyJhbGciOiJub25lIn0.",
        "-eyJ",
        "e",
        "a",
        "a.",
        ".",
        "0aA",
        " ",
        '"',
        '\\"',
    ),
    *("://", "://a:", "://:", ":", "://a:b", "a@", "\\", "\\u002d"),
    *("authorization", "authorization:", "Authorization: Bearer ", "Authorization: Bearer aaaaaaaa", "authorization ["),
]


def took(search: Callable[[bytes], object], text: str, size: int) -> float:
    """Seconds of processor time that a search of *size* bytes takes, the best of three."""
    payload = (text * (size // len(text) + 1))[:size].encode()
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        search(payload)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("evil", EVIL)
def test_time_grows_with_the_text(evil: str) -> None:
    """Sixteen times the text takes some sixteen times as long, not 256 times: no pattern goes back and forth."""

    def search(payload: bytes) -> object:
        return find_secrets(payload, entropy=ENTROPY)

    assert took(search, evil, 128_000) < 64 * max(took(search, evil, 8_000), 0.000_1)


def test_redacting_takes_as_long_as_there_is_to_redact() -> None:
    """A text that is nothing but secrets, escaped and not, is cleaned in time that grows with it."""
    text = json.dumps("\n".join(secret for _, secret, _ in SECRETS)) + " "
    assert took(redact, text, 256_000) < 64 * took(redact, text, 16_000)
