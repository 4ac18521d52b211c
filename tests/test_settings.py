"""Settings: what an operator may write, what becomes of it, and what a mistake is answered with."""

from __future__ import annotations

import contextlib
import pickle
import typing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashcache.core.budget import Period
from hashcache.core.content import Kind
from hashcache.core.errors import SettingsError
from hashcache.settings import KNOBS, ApiKey, Settings, is_loopback, load, read_env_file
from hashcache.settings.shapes import duration, spell
from hashcache.settings.vendors import KNOWN

DIGEST = "6b1d2c9f0a4e8375c1f60d7b92a3e4585f0c1b6a7d8e9f30214355a6b7c8d9e0"
OTHER_DIGEST = "0" * 63 + "1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- nobody binds there
GENERIC = {"HASHCACHE_PROVIDER": "generic", "HASHCACHE_GENERIC_URL": "https://api.example.com/v1"}
CLUSTER = "rediss+cluster://me:p%40@a:1,b,[::1]:3"
UPSTASH = "rediss://default:pw%40x@eu1-fox-12345.upstash.io:6379"
WATCHED = "rediss+sentinel://me:p%40@a:1,b,[::1]:3/main/2?sentinel_username=us&sentinel_password=p%2Bq"
steady = settings(deadline=None)  # an example is cheap, but a busy machine may make it wait


def refusal(**environ: str) -> str:
    """The message with which *environ* is refused."""
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value)


def test_zero_configuration_works() -> None:
    """Without a single variable there is a complete Settings, with the values of the contract."""
    settings = load({})
    assert (settings.environment, settings.store, settings.store_from) == (
        "dev",
        "sqlite:///./hashcache.sqlite3",
        "default",
    )
    assert settings.providers == dict.fromkeys(Kind, ("provenance",))
    assert (settings.generic, settings.paid, settings.public) == (None, False, False)
    assert (settings.secrets, settings.api_keys, settings.admin_token) == ((), (), None)
    assert (settings.redis_connections, settings.near_bytes, settings.max_entry) == (20, 64 * 10**6, 10**6)
    assert (settings.media_ttl, settings.text_ttl) == (timedelta(days=7), timedelta(days=30))
    assert (settings.provider_timeout, settings.video_timeout) == (timedelta(seconds=60), timedelta(seconds=180))
    assert (settings.max_upload, settings.max_text, settings.upload_budget) == (200 * 10**6, 10**6, 10**9)
    assert (settings.upload_idle, settings.upload_rate) == (timedelta(seconds=10), 1000)
    assert (settings.lease, settings.grace) == (timedelta(seconds=8), timedelta(seconds=25))
    assert (settings.host, settings.port, settings.workers) == (None, 8000, 1)


def test_every_attribute_has_the_type_that_it_declares() -> None:
    """With every example of the table at once, each attribute of Settings is of its declared type."""
    environ = {knob.name: knob.example for knob in KNOBS if not knob.example.startswith("$(")}
    environ |= {
        "HASHCACHE_STORE": "",
        "REDIS_URL": "",
        "REDIS_TLS": "1",
        "REDIS_PASSWORD": "p w",
        "HASHCACHE_SECRET": "new-0123456789abcdef,old-0123456789abcdef,unsigned@2026-12-01",
        "HASHCACHE_API_KEYS": f"shop:acme:user:{DIGEST}",
        "HASHCACHE_ADMIN_TOKEN": "t0k3n-0123456789abcdef",
        "HASHCACHE_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    settings = load(environ)
    for name, declared in typing.get_type_hints(Settings).items():
        value = getattr(settings, name)
        kinds = tuple(typing.get_origin(one) or one for one in typing.get_args(declared)) or (declared,)
        kinds = tuple(getattr(one, "__supertype__", one) for one in kinds)  # an Instant is an int
        origin = typing.get_origin(declared)
        assert isinstance(value, origin if origin in (tuple, typing.get_origin(typing.Mapping[str, str])) else kinds)
        assert value is not None, f"{name} has an example that means nothing"


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_a_default_and_an_example_are_of_the_shape_of_their_knob(knob) -> None:
    """What the documentation shows can be pasted; where a command is shown, the command's text itself is refused."""
    if knob.default is not None:
        knob.read(knob.default)
        assert knob.default != knob.example, "an example that changes nothing teaches nothing"
    if not knob.example.startswith("$("):
        knob.read(knob.example)
    elif knob.name != "REDIS_PASSWORD":  # any text may be somebody's password
        with pytest.raises(ValueError, match="must"):
            knob.read(knob.example)


@pytest.mark.parametrize("knob", [knob for knob in KNOBS if knob.name != "REDIS_PASSWORD"], ids=lambda knob: knob.name)
def test_a_malformed_value_is_answered_with_name_shape_and_example(knob) -> None:
    """The message names the setting, says what it must be, shows an example, and repeats only what is no secret."""
    bad = "\x01 c0nfidential \\"
    line = next(line for line in refusal(**{knob.name: bad}).splitlines() if line.startswith(f"{knob.name} must "))
    assert line.endswith(f"; for example {knob.name}={knob.example}")
    assert ("c0nfidential" in line) is not knob.secret


def test_all_problems_are_reported_together_a_line_each() -> None:
    """Who starts a server with five mistakes reads of five, not of one at a time."""
    message = refusal(
        HASHCACHE_LEASE="soon", HASHCACHE_MAX_TEXT="4M", HASHCACHE_SECRT="x", HASHCACHE_PROVIDER="generic", PORT="http"
    )
    assert [line.split(" ")[0] for line in message.splitlines()] == [
        "HASHCACHE_SECRT",
        "HASHCACHE_MAX_TEXT",
        "HASHCACHE_LEASE",
        "PORT",
        "HASHCACHE_GENERIC_URL",
    ]


def test_an_unknown_name_is_an_error_that_suggests_the_nearest() -> None:
    """A typo never silently means the default, and its value is not shown."""
    assert refusal(HASHCACHE_SECRT="c0nfidential") == (
        "HASHCACHE_SECRT is no setting of hashcache; did you mean HASHCACHE_SECRET?"
    )
    assert "docs/settings.md" in refusal(HASHCACHE_QQQQQQQQQQQQ="1")
    assert "did you mean PORT?" in refusal(HASHCACHE_PORT="9000")


def test_foreign_names_are_left_alone() -> None:
    """What Kubernetes injects, what tests and the command line use, and what is nobody's does not disturb."""
    assert load(
        {
            "HASHCACHE_SERVICE_HOST": "10.0.0.1",
            "HASHCACHE_PORT": "tcp://10.0.0.1:8000",
            "HASHCACHE_PORT_8000_TCP_PORT": "8000",
            "HASHCACHE_TEST_SERVER": "granian",
            "HASHCACHE_URL": "http://127.0.0.1:8000",
            "HASHCACHE_API_KEY": "hc_x",
            "REDIS_PORT": "tcp://10.0.0.2:6379",
            "PATH": "/bin",
        }
    ) == load({})


def test_an_empty_or_blank_value_means_unset() -> None:
    """`REDIS_URL=` takes back what a file said, for every knob."""
    assert load({knob.name: " " for knob in KNOBS}) == load({})


def test_blanks_around_a_value_do_not_count() -> None:
    """A secret that was mounted with its final newline is the same secret."""
    assert load({"HASHCACHE_ADMIN_TOKEN": "t0k3n-0123456789abcdef\n"}).admin_token == "t0k3n-0123456789abcdef"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    """What arrives as lone surrogates (PEP 383) is a problem with a name, not a traceback."""
    assert refusal(HASHCACHE_SPOOL_DIR="/mnt/\udcff").startswith(
        "HASHCACHE_SPOOL_DIR must be UTF-8, not '/mnt/\\udcff'"
    )
    assert "HASHCACHE_X\\udcff is no setting" in refusal(**{"HASHCACHE_X\udcff": "1"})


def test_no_secret_is_in_repr() -> None:
    """Settings can be logged: neither URL, headers, secrets, token nor digest shows."""
    settings = load(
        GENERIC
        | {
            "HASHCACHE_GENERIC_URL": "https://api.example.com/v1?key=c0nfidential",
            "HASHCACHE_GENERIC_HEADERS": '{"X-Key": "c0nfidential"}',
            "REDIS_URL": "redis://:c0nfidential@h",
            "HASHCACHE_SECRET": "c0nfidential-0123456789",
            "HASHCACHE_ADMIN_TOKEN": "c0nfidential-0123456789",
            "HASHCACHE_API_KEYS": f"shop:acme:user:{DIGEST}",
        }
    )
    assert "c0nfidential" not in repr(settings)
    assert DIGEST not in repr(settings)
    assert "store_from='REDIS_URL'" in repr(settings)


def test_settings_are_frozen_and_travel_to_workers() -> None:
    """Nobody changes them later; a worker process gets an equal copy."""
    settings = load(GENERIC)
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]  # that it cannot be done is the claim
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 -- our own bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("1.5h", timedelta(minutes=90)),
        ("90s", timedelta(seconds=90)),
        ("90 s", timedelta(seconds=90)),
        ("1000ms", timedelta(seconds=1)),
        ("365d", timedelta(days=365)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    """A number and a unit."""
    assert load({"HASHCACHE_MEDIA_TTL": text}).media_ttl == expected


@pytest.mark.parametrize(
    "text", ["0s", "-1s", "7", "7D", "1w", "366d", "1e3s", "s", "\u0667d", "9999999999999d", "1d 2h"]
)
def test_what_is_no_duration(text: str) -> None:
    """Zero, negative, over a year, without a unit or with a foreign one: refused."""
    assert "HASHCACHE_MEDIA_TTL must be a duration" in refusal(HASHCACHE_MEDIA_TTL=text)


@steady
@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=365)))
def test_a_duration_spelled_is_read_back(length: timedelta) -> None:
    """What our messages show of a bound is itself a valid setting."""
    length -= timedelta(microseconds=length.microseconds % 1000)
    assert duration(least=timedelta(milliseconds=1))(spell(length)) == length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200MB", 200 * 10**6),
        ("200mb", 200 * 10**6),
        ("64MiB", 64 * 2**20),
        ("1.5GB", 1_500_000_000),
        ("1KB", 1000),
        ("1 KiB", 1024),
        ("4096", 4096),
        ("4096B", 4096),
        ("0", 0),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    """MB is 10^6, MiB is 2^20, a bare number is bytes."""
    assert load({"HASHCACHE_NEAR_BYTES": text}).near_bytes == expected


@pytest.mark.parametrize("text", ["64M", "64Mi", "-1", "1.0005KB", "1e6", "1 000", "lots", "9999TB", "0x10"])
def test_what_is_no_size(text: str) -> None:
    """A bare M could be either, and a part of a byte is nothing: refused."""
    assert "HASHCACHE_NEAR_BYTES must be a number of bytes" in refusal(HASHCACHE_NEAR_BYTES=text)


@pytest.mark.parametrize(
    ("environ", "store", "came_from"),
    [
        ({"HASHCACHE_STORE": "off"}, "off", "HASHCACHE_STORE"),
        ({"HASHCACHE_STORE": "memory://"}, "memory://", "HASHCACHE_STORE"),
        ({"HASHCACHE_STORE": "sqlite:////a b/c%20d"}, "sqlite:////a b/c%20d", "HASHCACHE_STORE"),
        ({"REDIS_URL": UPSTASH}, UPSTASH, "REDIS_URL"),
        ({"HASHCACHE_STORE": "redis://h:1/2", "REDIS_URL": "redis://h:1/2"}, "redis://h:1/2", "HASHCACHE_STORE"),
        ({"HASHCACHE_STORE": "redis://h", "REDIS_URL": "redis://default@H:6379/0"}, "redis://h", "HASHCACHE_STORE"),
        ({"REDIS_HOST": "H"}, "redis://h:6379/0", "REDIS_HOST"),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "6380"}, "redis://[::1]:6380/0", "REDIS_HOST"),
        ({"REDIS_HOST": "h", "REDIS_PORT": "tcp://10.0.0.1:7000"}, "redis://h:7000/0", "REDIS_HOST"),
        (
            {"REDIS_HOST": "h", "REDIS_PASSWORD": "p@:/ %#", "REDIS_DB": "3"},
            "redis://:p%40%3A%2F%20%25%23@h:6379/3",
            "REDIS_HOST",
        ),
        (
            {"REDIS_HOST": "h", "REDIS_USERNAME": "me", "REDIS_PASSWORD": "p", "REDIS_TLS": "1"},
            "rediss://me:p@h:6379/0",
            "REDIS_HOST",
        ),
        ({"REDIS_URL": UPSTASH, "REDIS_HOST": "eu1-fox-12345.upstash.io"}, UPSTASH, "REDIS_URL"),
        ({"REDIS_URL": UPSTASH, "REDIS_PASSWORD": "pw@x", "REDIS_TLS": "1"}, UPSTASH, "REDIS_URL"),
        ({"HASHCACHE_STORE": WATCHED}, WATCHED, "HASHCACHE_STORE"),
        ({"REDIS_URL": WATCHED, "REDIS_PASSWORD": "p@", "REDIS_TLS": "1"}, WATCHED, "REDIS_URL"),
        (
            {"HASHCACHE_STORE": "redis+sentinel://b:2,a/m", "REDIS_URL": "redis+sentinel://A:26379,b:2/m/0"},
            "redis+sentinel://b:2,a/m",
            "HASHCACHE_STORE",
        ),
        ({"HASHCACHE_STORE": CLUSTER, "HASHCACHE_REDIS_CA": "/ca.pem"}, CLUSTER, "HASHCACHE_STORE"),
        ({"REDIS_URL": CLUSTER, "REDIS_PASSWORD": "p@", "REDIS_TLS": "1", "REDIS_DB": "0"}, CLUSTER, "REDIS_URL"),
        (
            {"HASHCACHE_STORE": "redis+cluster://b:2,a", "REDIS_URL": "redis+cluster://default@A:6379,b:2/0"},
            "redis+cluster://b:2,a",
            "HASHCACHE_STORE",
        ),
    ],
)
def test_the_store(environ: dict[str, str], store: str, came_from: str) -> None:
    """One URL comes out, and the variable that it came from; sources that agree may stand side by side."""
    settings = load(environ)
    assert (settings.store, settings.store_from) == (store, came_from)


@pytest.mark.parametrize(
    "environ",
    [
        {"HASHCACHE_STORE": "memory://", "REDIS_URL": "redis://h"},
        {"HASHCACHE_STORE": "off", "REDIS_HOST": "h"},
        {"HASHCACHE_STORE": "redis://h/1", "REDIS_URL": "redis://h/2"},
        {"REDIS_URL": "redis://h", "REDIS_HOST": "other"},
        {"REDIS_URL": "redis://:c0nfidential@h", "REDIS_PASSWORD": "pw"},
        {"REDIS_URL": "rediss://h", "REDIS_TLS": "0"},
        {"REDIS_URL": "redis+sentinel://a/main", "REDIS_HOST": "a"},
        {"REDIS_URL": "redis+sentinel://a/main", "HASHCACHE_STORE": "redis+sentinel://a/other"},
        {"REDIS_URL": "redis+sentinel://a/main", "HASHCACHE_STORE": "redis://a"},
        {"REDIS_URL": "redis+sentinel://:c0nfidential@a/main", "REDIS_PASSWORD": "pw"},
        {"HASHCACHE_STORE": "redis+cluster://a,b", "REDIS_URL": "redis+cluster://a"},
        {"REDIS_URL": CLUSTER, "REDIS_HOST": "a"},
    ],
)
def test_two_stores_that_disagree_are_an_error(environ: dict[str, str]) -> None:
    """Nobody guesses which one was meant; the message shows how to unset one, and no password."""
    message = refusal(**environ)
    assert "name different stores" in message
    assert "an empty value will do" in message
    assert "c0nfidential" not in message


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REDIS_URL": "redis://:c0nfidential@x.upstash.io:6379"}, "rediss://"),
        ({"REDIS_HOST": "x.Upstash.io", "REDIS_PASSWORD": "c0nfidential"}, "REDIS_TLS=1"),
        ({"REDIS_URL": "https://x.upstash.io"}, "REST"),
        ({"REDIS_URL": "redis-cli --tls -u redis://:c0nfidential@x.upstash.io:6379"}, "redis-cli"),
        ({"REDIS_URL": "redis://:c0n/fidential@h"}, "percent-encode"),
        ({"REDIS_URL": "redis://:c0n#fidential@h"}, "percent-encode"),
        ({"REDIS_URL": "rediss://h?ssl_cert_reqs=none"}, "no options"),
        ({"REDIS_URL": "redis://h:99999"}, "redis://user:password@host:port"),
        ({"REDIS_URL": "redis://[::1"}, "redis://user:password@host:port"),
        ({"REDIS_URL": "redis://h/one"}, "redis://user:password@host:port"),
        ({"REDIS_URL": "redis://"}, "redis://user:password@host:port"),
        ({"REDIS_URL": "sqlite:///x"}, "redis://user:password@host:port"),
        ({"HASHCACHE_STORE": "redis+sentinel://:c0nfidential@a:1,b:2"}, "must name the master"),
        ({"REDIS_URL": "rediss+sentinel://:c0nfidential@a:1,b:2/"}, "must name the master"),
        ({"REDIS_URL": "redis+sentinel://:c0n/fidential@a:1/main"}, "percent-encode"),
        ({"REDIS_URL": "redis+sentinel://:c0nfidential@a:1,b:99999/main"}, "redis+sentinel://user:password@host:port"),
        ({"REDIS_URL": "redis+sentinel://:c0nfidential@a:1,,b:1/main"}, "redis+sentinel://user:password@host:port"),
        ({"REDIS_URL": "redis+sentinel:///main"}, "redis+sentinel://user:password@host:port"),
        ({"REDIS_URL": "redis+sentinel://a:1/main/one"}, "redis+sentinel://user:password@host:port"),
        ({"REDIS_URL": "redis+sentinel://a/main?ssl_cert_reqs=none"}, "no options but sentinel_password"),
        ({"REDIS_URL": "redis+sentinel://a/main?sentinel_username=c0nfidential"}, "no options but sentinel_password"),
        ({"REDIS_URL": "redis+sentinel://a/main", "HASHCACHE_REDIS_CA": "/ca.pem"}, "HASHCACHE_REDIS_CA is set"),
        ({"HASHCACHE_STORE": "redis+cluster://:c0nfidential@a:1,b:2/3"}, "only database 0"),
        ({"HASHCACHE_STORE": "redis+cluster://:c0n/fidential@a:1"}, "percent-encode"),
        ({"REDIS_URL": "redis+cluster://a,b?ssl_cert_reqs=none"}, "no options"),
        ({"REDIS_URL": "redis+cluster://a:99999"}, "redis+cluster://user:password@host:port"),
        ({"REDIS_URL": "redis+cluster://a:0"}, "redis+cluster://user:password@host:port"),
        ({"REDIS_URL": "redis+cluster://a,,b"}, "redis+cluster://user:password@host:port"),
        ({"HASHCACHE_STORE": "redis+cluster://a", "HASHCACHE_REDIS_CA": "/ca.pem"}, "HASHCACHE_REDIS_CA is set"),
        ({"HASHCACHE_STORE": "sqlite://x"}, "sqlite:///path"),
        ({"HASHCACHE_STORE": "sqlite:///"}, "must name a file"),
        ({"HASHCACHE_STORE": "sqlite:///:memory:"}, "memory://"),
        ({"HASHCACHE_STORE": "mysql://h"}, "sqlite:///path"),
        ({"REDIS_PASSWORD": "c0nfidential"}, "REDIS_HOST must be set"),
        ({"REDIS_HOST": "h", "REDIS_PORT": "tcp://10.0.0.1:0"}, "REDIS_PORT must be a port"),
        ({"REDIS_URL": "redis://h", "HASHCACHE_REDIS_CA": "/ca.pem"}, "HASHCACHE_REDIS_CA is set"),
    ],
)
def test_stores_that_are_refused(environ: dict[str, str], expected: str) -> None:
    """The usual mistakes are answered with what to do, without the password."""
    message = refusal(**environ)
    assert expected in message
    assert "fidential" not in message


def test_providers_by_kind_in_order_of_fallback() -> None:
    """The general setting counts for the kinds that have none of their own."""
    settings = load(GENERIC | {"HASHCACHE_PROVIDER": "generic, provenance", "HASHCACHE_TEXT_PROVIDER": "provenance"})
    assert settings.providers == {
        Kind.IMAGE: ("generic", "provenance"),
        Kind.VIDEO: ("generic", "provenance"),
        Kind.TEXT: ("provenance",),
    }
    assert settings.paid
    assert not load({"HASHCACHE_GENERIC_URL": "http://127.0.0.1:9"}).paid


def test_generic() -> None:
    """All that a paid HTTP API needs comes out parsed."""
    generic = load(
        GENERIC
        | {
            "HASHCACHE_GENERIC_HEADERS": '{"Authorization": "Bearer x"}',
            "HASHCACHE_GENERIC_SCORE": "/a~1b/0",
            "HASHCACHE_GENERIC_AI_ABOVE": "0.75",
            "HASHCACHE_GENERIC_PRICE_USD": "0.01",
            "HASHCACHE_GENERIC_TIMEOUT": "2s",
        }
    ).generic
    assert generic is not None
    assert (generic.url, generic.headers) == ("https://api.example.com/v1", {"Authorization": "Bearer x"})
    assert (generic.file_field, generic.text_field, generic.concurrency) == ("file", "text", 8)
    assert (generic.score, generic.version, generic.ai_above, generic.price) == ("/a~1b/0", None, 0.75, 10_000)
    assert generic.timeout == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HASHCACHE_PROVIDER", "openai"),
        ("HASHCACHE_PROVIDER", "generic,"),
        ("HASHCACHE_PROVIDER", "generic,generic"),
        ("HASHCACHE_GENERIC_URL", "ftp://h"),
        ("HASHCACHE_GENERIC_URL", "https://me:pw@h"),
        ("HASHCACHE_GENERIC_URL", "https://"),
        ("HASHCACHE_GENERIC_URL", "https://h:0"),
        ("HASHCACHE_GENERIC_URL", "https://h/a b"),
        ("HASHCACHE_GENERIC_HEADERS", "Authorization: x"),
        ("HASHCACHE_GENERIC_HEADERS", '["a"]'),
        ("HASHCACHE_GENERIC_HEADERS", '{"a": 1}'),
        ("HASHCACHE_GENERIC_HEADERS", '{"a": "x\\r\\nb: y"}'),
        ("HASHCACHE_GENERIC_HEADERS", '{"a b": "x"}'),
        ("HASHCACHE_GENERIC_HEADERS", '{"a": "x", "A": "y"}'),
        ("HASHCACHE_GENERIC_HEADERS", '{"Content-Length": "1"}'),
        ("HASHCACHE_GENERIC_FILE_FIELD", 'a"b'),
        ("HASHCACHE_GENERIC_SCORE", "score"),
        ("HASHCACHE_GENERIC_SCORE", "/a~2"),
        ("HASHCACHE_GENERIC_AI_ABOVE", "1.1"),
        ("HASHCACHE_GENERIC_AI_ABOVE", "nan"),
        ("HASHCACHE_GENERIC_AI_ABOVE", "."),
        ("HASHCACHE_GENERIC_PRICE_USD", "-1"),
        ("HASHCACHE_GENERIC_PRICE_USD", "0.0000001"),
        ("HASHCACHE_GENERIC_CONCURRENCY", "0"),
    ],
)
def test_providers_that_are_refused(name: str, value: str) -> None:
    """What would fail at the first upload, or leak a credential into a log, is refused at the start."""
    assert f"{name} must " in refusal(**GENERIC | {name: value})


ACCOUNTS = {
    "SIGHTENGINE_API_USER": "1029384756",
    "SIGHTENGINE_API_SECRET": "c0nfidential-s",
    "HIVE_API_KEY": "c0nfidential-h",
    "AIORNOT_API_KEY": "c0nfidential-a",
    "GPTZERO_API_KEY": "c0nfidential-g",
    "REALITY_DEFENDER_API_KEY": "c0nfidential-r",
}


def complaint(**environ: str) -> str:
    """The one line with which *environ* is refused; it repeats no secret."""
    (line,) = refusal(**environ).splitlines()
    assert "c0nfidential" not in line
    return line


def test_an_account_that_is_complete_is_there_whether_it_is_asked_or_not() -> None:
    """With its own address, price and limits, or the known ones; nobody is asked who is not listed."""
    settings = load(
        ACCOUNTS
        | {
            "HASHCACHE_HIVE_URL": "https://gateway.example.com/hive",
            "HASHCACHE_HIVE_PRICE_USD": "0.004",
            "HASHCACHE_HIVE_TIMEOUT": "20s",
            "HASHCACHE_HIVE_MAX_BYTES": "20MB",
            "HASHCACHE_HIVE_MAX_SECONDS": "30",
            "HASHCACHE_GPTZERO_MODEL_VERSION": "2025-11-28-base",
        }
    )
    assert set(settings.vendors) == set(KNOWN)
    assert (settings.paid, settings.providers[Kind.IMAGE]) == (False, ("provenance",))
    hive, sightengine = settings.vendors["hive"], settings.vendors["sightengine"]
    assert (hive.url, hive.key, hive.user) == ("https://gateway.example.com/hive", "c0nfidential-h", "")
    assert (hive.price, hive.timeout, hive.ai_above) == (4_000, timedelta(seconds=20), 0.9)
    assert (hive.most_bytes, hive.most_seconds) == (20 * 10**6, 30)
    assert (sightengine.user, sightengine.key) == ("1029384756", "c0nfidential-s")
    assert (sightengine.url, sightengine.price) == ("https://api.sightengine.com/1.0", 2_900)
    assert (sightengine.timeout, sightengine.most_bytes, sightengine.concurrency) == (None, None, 8)
    assert settings.vendors["gptzero"].options == {"multilingual": False, "model_version": "2025-11-28-base"}
    assert "c0nfidential" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("SIGHTENGINE_API_USER", "SIGHTENGINE_API_SECRET"), ("SIGHTENGINE_API_SECRET", "SIGHTENGINE_API_USER")],
)
def test_half_an_account_is_refused(given: str, missing: str) -> None:
    """Listed or not: the half that is missing is named, why, and with an example."""
    account = {given: ACCOUNTS[given]}
    assert complaint(**account).startswith(f"{missing} is missing, but {given} is set; for example {missing}=")
    said = complaint(**account, HASHCACHE_PROVIDER="sightengine")
    assert said.startswith(f"{missing} is missing, but sightengine is the provider of image, video; for example")


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "sightengine"])
def test_a_vendor_that_is_listed_needs_its_key(name: str) -> None:
    """Whatever else is said of it; the key is asked for by its name."""
    variable = KNOWN[name].secrets["key"]
    said = complaint(HASHCACHE_PROVIDER=name, **{f"HASHCACHE_{name.upper()}_TIMEOUT": "20s"})
    assert said.startswith(f"{variable} is missing, but {name} is the provider of ")
    assert said.endswith(f"; for example {variable}=3fe1c0a8b2d94e77")


def test_what_is_said_of_a_vendor_without_an_account_may_stay() -> None:
    """Who takes a vendor out for a while need not take out its price, limits, budget and epoch."""
    settings = load(
        {
            "HASHCACHE_HIVE_PRICE_USD": "0.004",
            "HASHCACHE_HIVE_MAX_BYTES": "1MB",
            "HASHCACHE_HIVE_EPOCH": "3",
            "HASHCACHE_HIVE_DAILY_BUDGET_USD": "5",
            "HASHCACHE_GENERIC_EPOCH": "2",
            "HASHCACHE_GENERIC_MONTHLY_BUDGET_USD": "7",
        }
    )
    assert (settings.vendors, settings.generic, settings.paid) == ({}, None, False)
    assert settings.epochs == {"hive": 3, "generic": 2}
    assert [(one.scope, one.period) for one in settings.budgets] == [
        ("provider=generic", Period.MONTH),
        ("provider=hive", Period.DAY),
    ]


def test_a_list_for_all_kinds_is_filtered_by_what_each_can_do() -> None:
    """In its order; a kind that nobody in it does is left to the embedded provider."""
    settings = load(ACCOUNTS | {"HASHCACHE_PROVIDER": "gptzero,hive,aiornot"})
    assert settings.providers == {
        Kind.IMAGE: ("hive", "aiornot"),
        Kind.VIDEO: ("hive", "aiornot"),
        Kind.TEXT: ("gptzero", "aiornot"),
    }
    settings = load(ACCOUNTS | {"HASHCACHE_PROVIDER": "sightengine"})
    assert settings.providers[Kind.TEXT] == ("provenance",)
    settings = load(ACCOUNTS | {"HASHCACHE_PROVIDER": "gptzero,provenance", "HASHCACHE_VIDEO_PROVIDER": "hive"})
    assert list(settings.providers.values()) == [("provenance",), ("hive",), ("gptzero", "provenance")]


@pytest.mark.parametrize(("kind", "name"), [("image", "gptzero"), ("video", "gptzero"), ("text", "hive")])
def test_a_list_for_one_kind_is_taken_at_its_word(kind: str, name: str) -> None:
    """A provider in it that cannot do the kind is an error that says which."""
    setting = f"HASHCACHE_{kind.upper()}_PROVIDER"
    said = complaint(**ACCOUNTS, **{setting: f"aiornot,{name}"})
    assert said.startswith(f"{setting} names {name}, which does not analyse {kind}s")
    assert f"for example {setting}=" in said


def test_budgets() -> None:
    """In all, by provider and by tenant, a day or a month; each covers what it is for. Without any there is none."""
    assert load({}).budgets == ()
    budgets = load(
        {
            "HASHCACHE_DAILY_BUDGET_USD": "25",
            "HASHCACHE_MONTHLY_BUDGET_USD": "0",
            "HASHCACHE_REALITY_DEFENDER_DAILY_BUDGET_USD": "0.000001",
            "HASHCACHE_TENANT_BUDGETS": " acme:5/day, acme:100/month ,globex:20.5/month",
        }
    ).budgets
    assert [(one.scope, one.most, one.period.value) for one in budgets] == [
        ("all", 25_000_000, "day"),
        ("all", 0, "month"),
        ("provider=reality_defender", 1, "day"),
        ("tenant=acme", 5_000_000, "day"),
        ("tenant=acme", 100_000_000, "month"),
        ("tenant=globex", 20_500_000, "month"),
    ]
    assert [one.covers("hive", "acme") for one in budgets] == [True, True, False, True, True, False]


@pytest.mark.parametrize(
    "value",
    [
        "acme",
        "acme:5",
        "acme:5/week",
        "acme:5/Day",
        "acme/day",
        ":5/day",
        "acme:/day",
        "acme:five/day",
        "acme:-5/day",
        "acme:$5/day",
        "acme:nan/day",
        "acme:0.0000001/day",
        "a b:5/day",
        "acme:5/day,",
        "acme:5/day;globex:5/day",
        "acme:5/day,acme:6/day",
        "acme:5/day/day",
    ],
)
def test_budgets_of_tenants_that_are_refused(value: str) -> None:
    """Anything but tenant:dollars/period, each tenant's period once: nobody is without a budget by a slip."""
    said = complaint(HASHCACHE_TENANT_BUDGETS=value)
    assert said.startswith("HASHCACHE_TENANT_BUDGETS must be ")
    assert said.endswith("; for example HASHCACHE_TENANT_BUDGETS=acme:5/day,acme:100/month,globex:20/month")


@pytest.mark.parametrize("value", ["-1", "1.5", "one", "1000001"])
def test_epochs_that_are_refused(value: str) -> None:
    """An epoch is a whole number; 0, the default, is as good as none."""
    assert complaint(HASHCACHE_GPTZERO_EPOCH=value).endswith("; for example HASHCACHE_GPTZERO_EPOCH=1")
    assert load({"HASHCACHE_GPTZERO_EPOCH": "0"}).epochs == {}


def test_generic_without_its_url_is_refused() -> None:
    """Whether a kind uses it or only something is said about it."""
    assert "generic is the provider of image, video" in refusal(
        HASHCACHE_PROVIDER="generic", HASHCACHE_TEXT_PROVIDER="provenance"
    )
    assert "but HASHCACHE_GENERIC_SCORE is set" in refusal(HASHCACHE_GENERIC_SCORE="/s")


@pytest.mark.parametrize(
    "value",
    [
        "short",
        "change-me-change-me-please",
        "changeme12345678",
        "your_admin_token_here",
        "Password12345678!",
        "example-0123456789abcdef",
        "<put a token here>",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "has a blank in it 0123",
        "café-0123456789abcdef",
    ],
)
def test_weak_admin_tokens_are_refused(value: str) -> None:
    """What is short, cannot be sent in a header, or stands in every guide is no token; it is not repeated either."""
    message = refusal(HASHCACHE_ADMIN_TOKEN=value)
    assert message.startswith("HASHCACHE_ADMIN_TOKEN must ")
    assert value not in message


def test_signing_secrets() -> None:
    """The newest comes first; each is long enough, and none is there twice."""
    new, old = "new-0123456789abcdef", "old-0123456789abcdef"
    settings = load({"HASHCACHE_SECRET": f"{new}, {old}"})
    assert (settings.secrets, settings.unsigned_until) == ((new, old), None)
    assert "at least 16" in refusal(HASHCACHE_SECRET=f"{new},old")
    assert "once" in refusal(HASHCACHE_SECRET=f"{new},{new}")


@pytest.mark.parametrize("order", ["{new},unsigned@2026-12-01,{old}", "{new}, {old}, unsigned@2026-12-01"])
def test_unsigned_entries_are_accepted_until_a_day_begins(order: str) -> None:
    """The literal is no secret that signs: it is taken out, and becomes the instant at which the licence ends."""
    new, old = "new-0123456789abcdef", "old-0123456789abcdef"
    settings = load({"HASHCACHE_SECRET": order.format(new=new, old=old)})
    assert settings.secrets == (new, old)
    assert settings.unsigned_until == datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    "licence",
    [
        "unsigned",
        "UNSIGNED",
        "unsigned@",
        "unsigned@tomorrow",
        "unsigned@2026-13-01",
        "unsigned@2026-02-29",
        "unsigned@20261201",
        "unsigned@2026-W49-2",
        "unsigned@2026-12-01T00:00",
        "unsigned:2026-12-01",
        "Unsigned@2026-12-01",
        "unsigned-0123456789abcdef",
    ],
)
def test_a_licence_without_a_day_is_an_error_that_explains_it(licence: str) -> None:
    """Nothing that looks like the literal is ever taken for a secret: everybody would know it."""
    message = refusal(HASHCACHE_SECRET=f"new-0123456789abcdef,{licence}")
    assert message.startswith("HASHCACHE_SECRET must say until which day entries without a signature are accepted")
    assert "unsigned@2026-12-01" in message


@pytest.mark.parametrize(
    "value",
    [
        "unsigned@2026-12-01",
        "unsigned",
        "unsigned@2026-12-01,old-0123456789abcdef",
        "new-0123456789abcdef,unsigned@2026-12-01,unsigned@2026-12-02",
        "new-0123456789abcdef,unsigned@2026-12-01,unsigned@2026-12-01",
    ],
)
def test_a_licence_follows_a_secret_once(value: str) -> None:
    """It can only be an old one: something has to sign."""
    assert "must begin with a secret that signs" in refusal(HASHCACHE_SECRET=value)


def test_encryption_needs_a_secret() -> None:
    """The keys are derived from it; without encryption none is needed."""
    assert load({}).encrypt is False
    assert load({"HASHCACHE_ENCRYPT": "1", "HASHCACHE_SECRET": "new-0123456789abcdef"}).encrypt is True
    assert load({"HASHCACHE_ENCRYPT": "0"}).encrypt is False
    assert refusal(HASHCACHE_ENCRYPT="1") == (
        "HASHCACHE_SECRET is missing, but HASHCACHE_ENCRYPT is set: the keys are derived from it; "
        "for example HASHCACHE_SECRET=$(openssl rand -hex 32)"
    )


def test_api_keys() -> None:
    """Each entry is name, tenant, role and the digest of a key."""
    entries = f"shop:acme:user:{DIGEST}, ops:acme:admin:{OTHER_DIGEST}"
    assert load({"HASHCACHE_API_KEYS": entries}).api_keys == (
        ApiKey("shop", "acme", "user", DIGEST),
        ApiKey("ops", "acme", "admin", OTHER_DIGEST),
    )


@pytest.mark.parametrize(
    "value",
    [
        "shop:acme:user",
        f"shop:acme:root:{DIGEST}",
        f"Shop:acme:user:{DIGEST}",
        f"shop::user:{DIGEST}",
        f"shop:{'a' * 65}:user:{DIGEST}",
        f"shop:acme:user:{DIGEST[:-1]}",
        f"shop:acme:user:{DIGEST.upper()}",
        "shop:acme:user:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        f"anonymous:acme:user:{DIGEST}",
        f"admin-token:acme:admin:{DIGEST}",
        f"shop:acme:user:{DIGEST},shop:acme:user:{OTHER_DIGEST}",
        f"shop:acme:user:{DIGEST},other:acme:user:{DIGEST}",
        f"shop:acme:user:{DIGEST},",
    ],
)
def test_api_keys_that_are_refused(value: str) -> None:
    """A wrong shape, a foreign role, the digest of nothing, a reserved name, or anything twice."""
    assert refusal(HASHCACHE_API_KEYS=value).startswith("HASHCACHE_API_KEYS must ")


def test_an_upload_that_is_allowed_fits_the_budget() -> None:
    """A limit above the budget would answer "try again later" to what can never succeed."""
    assert "HASHCACHE_MAX_UPLOAD (200000000 bytes)" in refusal(HASHCACHE_UPLOAD_BUDGET="100MB")
    assert load({"HASHCACHE_UPLOAD_BUDGET": "1MB", "HASHCACHE_MAX_UPLOAD": "1MB"}).upload_budget == 10**6


def test_an_upload_that_is_allowed_fits_the_part_of_one_process() -> None:
    """What is given is divided, and refused when a part is too small; what is not given grows with the processes."""
    refused = refusal(HASHCACHE_UPLOAD_BUDGET="1GB", WEB_CONCURRENCY="6")
    assert "HASHCACHE_MAX_UPLOAD (200000000 bytes)" in refused
    assert "WEB_CONCURRENCY makes 6" in refused
    assert load({"HASHCACHE_UPLOAD_BUDGET": "1GB", "WEB_CONCURRENCY": "5"}).upload_budget == 10**9
    assert load({"WEB_CONCURRENCY": "5"}).upload_budget == 10**9
    assert load({"WEB_CONCURRENCY": "8"}).upload_budget == 8 * 200 * 10**6
    assert load({"HASHCACHE_MAX_UPLOAD": "3GB"}).upload_budget == 3 * 10**9


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    """Only this machine reaches it: a paid provider without keys is fine there."""
    assert is_loopback(host)
    load(GENERIC).check_address(host)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "", "192.168.1.2", "localhost.example.com", "127.0.0.1.nip.io"])
def test_strangers_do_not_spend_the_operators_money(host: str) -> None:
    """Elsewhere a paid provider needs keys, or an operator who says that it is meant so; a free one needs nothing."""
    assert not is_loopback(host)
    with pytest.raises(SettingsError, match=r"HASHCACHE_API_KEYS.*HASHCACHE_PUBLIC=1"):
        load(GENERIC).check_address(host)
    load(GENERIC | {"HASHCACHE_PUBLIC": "1"}).check_address(host)
    load(GENERIC | {"HASHCACHE_API_KEYS": f"shop:acme:user:{DIGEST}"}).check_address(host)
    load({}).check_address(host)


def test_an_admin_token_alone_lets_no_stranger_spend() -> None:
    """It makes an administrator, but everybody without it would still be let in as anonymous."""
    with pytest.raises(SettingsError):
        load(GENERIC | {"HASHCACHE_ADMIN_TOKEN": "t0k3n-0123456789abcdef"}).check_address(EVERYWHERE)


ENV_FILE = """\
\ufeff# a comment
PLAIN=value
export EXPORTED = spaced out  # comment
HASH=a#b
EMPTY=
ONLY_COMMENT= # nothing
SINGLE='a "b" $HOME \\n # no comment' # comment
DOUBLE="a 'b' $HOME \\n\\t\\"\\\\\\$ \\q # no comment"
   INDENTED=x\r
EQUALS=a=b==
QUOTE_INSIDE=it's
"""


def test_an_env_file() -> None:
    """Comments, export, both quotes, escapes, blanks, CRLF and a byte order mark are read; nothing is expanded."""
    assert read_env_file(ENV_FILE) == {
        "PLAIN": "value",
        "EXPORTED": "spaced out",
        "HASH": "a#b",
        "EMPTY": "",
        "ONLY_COMMENT": "",
        "SINGLE": 'a "b" $HOME \\n # no comment',
        "DOUBLE": "a 'b' $HOME \n\t\"\\$ \\q # no comment",
        "INDENTED": "x",
        "EQUALS": "a=b==",
        "QUOTE_INSIDE": "it's",
    }


def test_an_env_file_with_mistakes() -> None:
    """Each line that cannot be read is reported by its number, and no value is repeated."""
    with pytest.raises(SettingsError) as caught:
        read_env_file('A=1\nB=\'c0nfidential\nC="c0nfidential" tail\nc0nfidential\n1D=x\nA=2\n')
    assert str(caught.value).splitlines() == [
        ".env, line 2: the value of B needs one closing ' at its end",
        '.env, line 3: the value of C needs one closing " at its end',
        ".env, line 4: not of the form NAME=value",
        ".env, line 5: not of the form NAME=value",
        ".env, line 6: A is set already in line 1",
    ]


@steady
@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_every_value_can_be_written_in_double_quotes(variables: dict[str, str]) -> None:
    """Escaped as documented, any text comes back as it was."""
    lines = []
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f'{name}="{escaped}"')
    assert read_env_file("\n".join(lines)) == variables


@steady
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """An env file of any bytes gives variables or a SettingsError, nothing else."""
    with contextlib.suppress(SettingsError):
        read_env_file(text)


@steady
@given(st.sampled_from(KNOBS), st.text(max_size=40))
def test_any_value_is_read_or_refused(knob, text: str) -> None:
    """A setting of any text gives Settings or a SettingsError, nothing else."""
    with contextlib.suppress(SettingsError):
        load({knob.name: text})


WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOKS = {"HASHCACHE_WEBHOOK_ORIGINS": "https://hooks.example.com", "HASHCACHE_WEBHOOK_SECRET": WEBHOOK_SECRET}


def test_webhooks_are_off_by_default() -> None:
    """Nobody is told anything unless the operator says where."""
    settings = load({})
    assert (settings.webhook_origins, settings.webhook_secrets) == ((), ())
    assert (settings.webhook_waiting, settings.webhook_tenant_waiting) == (10_000, 1_000)
    assert load({"HASHCACHE_WEBHOOK_SECRET": WEBHOOK_SECRET}).webhook_origins == ()


def test_where_webhooks_may_go() -> None:
    """Whole origins, in any case, each once; http for this machine alone."""
    text = "https://Hooks.example.com, https://hooks.example.com:443/,http://127.0.0.1:9000, https://[2606:4700::1]"
    settings = load(HOOKS | {"HASHCACHE_WEBHOOK_ORIGINS": text})
    assert [str(origin) for origin in settings.webhook_origins] == [
        "https://hooks.example.com",
        "http://127.0.0.1:9000",
        "https://[2606:4700::1]",
    ]


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "*",
            "https://*",
            "https://*.example.com",
            "hooks.example.com",
            "http://hooks.example.com",
            "https://a.com/x",
        ),
        *(
            "https://a.com?",
            "https://a.com/?x",
            "https://u@a.com",
            "https://a.com#",
            "https://a.com,",
            "https://a.com:0",
        ),
        *(
            "https://10.0.0.1",
            "https://169.254.169.254",
            "https://[fd00::1]",
            "https://[::ffff:127.0.0.1]",
            "http://0.0.0.0",
        ),
    ],
)
def test_where_webhooks_may_not_go(origin: str) -> None:
    """Neither wildcards nor paths, nor addresses of a private network."""
    assert "HASHCACHE_WEBHOOK_ORIGINS must" in refusal(**HOOKS | {"HASHCACHE_WEBHOOK_ORIGINS": origin})


def test_secrets_of_webhooks() -> None:
    """As Standard Webhooks writes them; two, parted by a blank, both sign."""
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    settings = load(HOOKS | {"HASHCACHE_WEBHOOK_SECRET": f"{WEBHOOK_SECRET}  {other}"})
    assert [len(secret) for secret in settings.webhook_secrets] == [24, 24]
    assert WEBHOOK_SECRET[6:] not in repr(settings)
    assert repr(settings.webhook_secrets[0]) not in repr(settings)
    short, long, same = "whsec_" + "MfKQ9r8G" * 3, "whsec_" + "MfKQ9r8GKYqr" * 8, f"{other} {other}"
    for secret in (
        "secret",
        other[6:],
        short[:-1],
        "whsec_",
        short[:-2],
        long,
        "whsec_" + "A" * 32,
        same,
        "whsec_!!!!",
    ):
        said = refusal(**HOOKS | {"HASHCACHE_WEBHOOK_SECRET": secret})
        assert "HASHCACHE_WEBHOOK_SECRET must" in said
        assert len(secret) < 8 or secret not in said


def test_webhooks_need_a_secret_and_a_store() -> None:
    """What is missing is named, with an example."""
    said = refusal(HASHCACHE_WEBHOOK_ORIGINS="https://hooks.example.com")
    assert said.startswith("HASHCACHE_WEBHOOK_SECRET is missing")
    assert "whsec_" in said
    assert "HASHCACHE_STORE is off" in refusal(**HOOKS, HASHCACHE_STORE="off")
