"""
A running service, as the commands ask it: over HTTP, with a clear line for whatever goes wrong.

Rule: the key goes into a header and nowhere else; nothing is retried.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click
import httpx

from hashcache.cli.world import World

_DEFAULT_URL = "http://127.0.0.1:8000"
_TIMEOUT = 30.0
_KEYS = (
    "Name a key of role admin with --key or HASHCACHE_API_KEY: HASHCACHE_ADMIN_TOKEN of the service, "
    "or the token that `hashcache serve` shows at start."
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def remote_options(command: _Command) -> _Command:
    """The options of every command that asks a running service: `--url`, `--key`, `--json`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
        click.option("--key", help="A key of role admin; or HASHCACHE_API_KEY."),
        click.option("--url", help=f"The service; or HASHCACHE_URL. [default: {_DEFAULT_URL}]"),
    ):
        command = option(command)
    return command


def ask(
    world: World,
    method: str,
    path: str,
    *,
    url: str | None,
    key: str | None,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """
    The JSON answer of *method* *path*, an object.

    Raises:
        click.ClickException: it cannot be reached, or refuses; the message says what to do.
    """
    url = (url or world.variables.get("HASHCACHE_URL") or _DEFAULT_URL).rstrip("/")
    key = key or world.variables.get("HASHCACHE_API_KEY")
    sent = {"Accept": "application/json", **(headers or {})}
    if key:
        if not (key.isascii() and key.isprintable()):
            raise click.ClickException(f"the key has characters that no key has. {_KEYS}")
        sent["X-API-Key"] = key
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            answer = client.request(method, url + path, content=content, headers=sent)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
        advice = "is it running? Start it with `hashcache serve`, or name it with --url"
        raise click.ClickException(f"no answer from {url} ({type(error).__name__}); {advice}") from None
    try:
        document = json.loads(answer.content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        if answer.is_success and document.get("success") is True:
            return document
        if not answer.is_success and "detail" in document:
            advice = f" {_KEYS}" if answer.status_code in {401, 403} else ""
            raise click.ClickException(f"{document['detail']}{advice}")
    raise click.ClickException(f"{url} answered {answer.status_code}, and not as hashcache does")
