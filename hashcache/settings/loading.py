"""
Environment -> Settings, or every problem at once.

Rule 1: an empty or blank value means unset.
Rule 2: an unknown HASHCACHE_ name is a problem: a typo must not silently mean the default.
Rule 3: all problems are reported together, a line each; whoever starts a server wants to mend them in one go.
Rule 4: a message names the setting, says what it must be and shows an example; it never repeats a secret's value.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from hashcache.core.errors import SettingsError
from hashcache.settings import addresses
from hashcache.settings.addresses import Parts
from hashcache.settings.alerting import thresholds_of
from hashcache.settings.budgets import gathered
from hashcache.settings.credentials import Signing
from hashcache.settings.knob import Knob
from hashcache.settings.knobs import KNOBS, STORE
from hashcache.settings.model import Settings
from hashcache.settings.providing import PROVIDING, chains, check_providers, generic_of, vendors_of
from hashcache.settings.shapes import Malformed
from hashcache.settings.webhooks import check_webhooks

#: Kubernetes injects the first two for a Service called hashcache; the others are the tests' and the command line's.
FOREIGN = ("HASHCACHE_SERVICE_", "HASHCACHE_PORT", "HASHCACHE_TEST_")
_COMMAND_LINE = frozenset({"HASHCACHE_URL", "HASHCACHE_API_KEY"})
_SHOWN = 60


def load(environ: Mapping[str, str]) -> Settings:
    """
    The settings that *environ* holds. Variables that are none of ours are ignored.

    Raises:
        SettingsError: something is unknown, malformed or contradictory; one line a problem.
    """
    problems = _unknown(environ)
    values: dict[str, Any] = {}
    given: dict[str, str] = {}
    for knob in KNOBS:
        text = environ.get(knob.name, "").strip()
        if text:
            given[knob.into] = knob.name
        try:
            values[knob.into] = _read(knob, text)
        except Malformed as malformed:
            problems.append(_problem(knob, text, malformed))
    problems += [
        problem
        for needed, check in _CHECKS
        if all(knob.into in values for knob in KNOBS if knob.into.startswith(needed))
        for problem in check(values, given)
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    values["upload_budget"] = _upload_budget(values, given)
    store, store_from = _store(values)
    plain = {name: value for name, value in values.items() if "." not in name}
    plain["api_keys"] = plain["api_keys"] or ()
    plain["webhook_origins"] = plain["webhook_origins"] or ()
    plain["webhook_secrets"] = plain["webhook_secrets"] or ()
    signing = values["seal.signing"] or Signing()
    plain |= {"secrets": signing.secrets, "unsigned_until": signing.unsigned_until}
    return Settings(
        **plain,
        store=store,
        store_from=store_from,
        providers=chains(values),
        generic=generic_of(values),
        vendors=vendors_of(values),
        epochs={
            name.removeprefix("epoch."): value for name, value in values.items() if name.startswith("epoch.") and value
        },
        budgets=gathered(values),
        alerts=thresholds_of(values),
    )


def _read(knob: Knob, text: str) -> Any:
    if not text:
        return None if knob.default is None else knob.read(knob.default)
    try:
        text.encode()
    except UnicodeEncodeError:  # what is not UTF-8 in the environment arrives as lone surrogates (PEP 383)
        raise Malformed("must be UTF-8") from None
    return knob.read(text)


def _problem(knob: Knob, text: str, malformed: Malformed) -> str:
    if knob.secret:
        return f"{knob.name} {malformed}; for example {knob.name}={knob.example}"
    shown = ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    return f"{knob.name} {malformed}, not {shown}; for example {knob.name}={knob.example}"


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {knob.name for knob in KNOBS} | _COMMAND_LINE
    problems = []
    for name in sorted(environ):
        if name == "HASHCACHE_PORT" and environ[name].isdecimal():  # Kubernetes would write tcp://address:port
            problems.append("HASHCACHE_PORT is no setting of hashcache; did you mean PORT?")
        elif name.startswith("HASHCACHE_") and name not in known and not name.startswith(FOREIGN):
            near = difflib.get_close_matches(name, sorted(known), n=1)
            advice = f"did you mean {near[0]}?" if near else "docs/settings.md lists all settings"
            problems.append(f"{ascii(name)[1:-1]} is no setting of hashcache; {advice}")
    return problems


def _check_store(values: Mapping[str, Any], _: Mapping[str, str]) -> list[str]:
    try:
        store = _store(values)[0]
    except SettingsError as error:
        return [str(error)]
    if values["redis_ca"] is not None and store.startswith(("redis:", "redis+")):
        return ["HASHCACHE_REDIS_CA is set, but the store is redis:// without TLS; use rediss://"]
    return []


def _check_encrypt(values: Mapping[str, Any], _: Mapping[str, str]) -> list[str]:
    if not values["encrypt"] or values["seal.signing"] is not None:
        return []
    example = next(knob.example for knob in STORE if knob.into == "seal.signing")
    why = "HASHCACHE_ENCRYPT is set: the keys are derived from it"
    return [f"HASHCACHE_SECRET is missing, but {why}; for example HASHCACHE_SECRET={example}"]


def _check_upload(values: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """An upload that the limit allows must fit a process's part, or "try again later" would be a lie."""
    most, budget, workers = values["max_upload"], _upload_budget(values, given), values["workers"]
    if most <= budget // workers:
        return []
    part = f"HASHCACHE_UPLOAD_BUDGET ({budget} bytes)"
    if workers > 1:
        part = f"each process's part of {part}, of which WEB_CONCURRENCY makes {workers}"
    return [f"HASHCACHE_MAX_UPLOAD ({most} bytes) must not be more than {part}"]


def _upload_budget(values: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """The budget that was given; else at least so much that a largest upload fits each process's part."""
    budget: int = values["upload_budget"]
    return budget if "upload_budget" in given else max(budget, values["max_upload"] * values["workers"])


#: What each value alone does not show: (the beginnings of the values that a check needs, the check).
_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any], Mapping[str, str]], list[str]]], ...] = (
    (("store.", "redis_ca"), _check_store),
    (("seal.", "encrypt"), _check_encrypt),
    (("provider.", *PROVIDING), check_providers),
    (("max_upload", "upload_budget", "workers"), _check_upload),
    (("webhook_", "store.url"), check_webhooks),
)


def _store(values: Mapping[str, Any]) -> tuple[str, str]:
    """The store's URL and the variable it came from."""
    part = {name: values[f"store.{name}"] for name in ("host", "port", "username", "password", "database", "tls")}
    parts = Parts(**part)
    urls = [(values["store.url"], "HASHCACHE_STORE"), (values["store.redis_url"], "REDIS_URL")]
    said = [(url, name) for url, name in urls if url is not None]
    if len(said) == 2 and not addresses.same_store(said[0][0], said[1][0]):
        raise SettingsError(_disagree("HASHCACHE_STORE", "REDIS_URL"))
    if said:
        if addresses.contradicted(said[0][0], parts):
            raise SettingsError(_disagree(said[0][1], "REDIS_HOST and its like"))
        return said[0]
    if not parts.wanted:
        return addresses.DEFAULT, "default"
    try:
        return parts.compose().url, "REDIS_HOST"
    except Malformed as malformed:
        raise SettingsError(f"REDIS_HOST {malformed}; for example REDIS_HOST=redis.internal") from None


def _disagree(one: str, other: str) -> str:
    return f"{one} and {other} name different stores; unset one (an empty value will do), for example {one}="
