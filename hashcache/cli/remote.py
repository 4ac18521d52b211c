"""
A running service, as the commands ask it: over HTTP, with a clear line for whatever goes wrong.

Rule 1: the key goes into a header and nowhere else.
Rule 2: `ask` is for what only this command line asks, and retries nothing; all else goes through the `client`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
import httpx

from hashcache.cli.world import World

if TYPE_CHECKING:
    from hashcache.client import AsyncClient

_DEFAULT_URL = "http://127.0.0.1:8000"
_TIMEOUT = 30.0
_KEYS = (
    "Name a key of role admin with --key or HASHCACHE_API_KEY: HASHCACHE_ADMIN_TOKEN of the service, "
    "or the token that `hashcache serve` shows at start."
)
_KEY = "Name a key with --key or HASHCACHE_API_KEY."
_ADVICE = "is it running? Start it with `hashcache serve`, or name it with --url"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def client(world: World, *, url: str | None, key: str | None, timeout: float = _TIMEOUT) -> AsyncClient:
    """
    A client of the service that *url* and *key*, or else the variables, name; the caller closes it.

    Raises:
        click.ClickException: they cannot be an address or a key.
    """
    # httpx is loaded when somebody is asked: --help need not wait for it.
    from hashcache.client import AsyncClient  # noqa: PLC0415 - see above

    # anyio forgets a coroutine when a connection is cancelled in its first moment; nobody at a terminal can mend that.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    try:
        return AsyncClient(address(world, url), api_key=_key(world, key), timeout=timeout)
    except ValueError as error:
        raise click.ClickException(f"{error}; see --url and --key") from None


@contextmanager
def clear_errors(world: World, url: str | None, *, admin: bool = False) -> Iterator[None]:
    """What the client raises inside becomes one clear line; *admin*: the command needs a key of that role."""
    from hashcache.client import NotAllowed, ServiceError, TimedOut, Unreachable  # noqa: PLC0415 - as in `client`

    try:
        yield
    except TimedOut as error:
        raise click.ClickException(f"no answer in time from {address(world, url)}: {error}") from None
    except Unreachable as error:
        raise click.ClickException(f"no answer from {address(world, url)} ({error}); {_ADVICE}") from None
    except NotAllowed as error:
        raise click.ClickException(f"{error} {_KEYS if admin else _KEY}") from None
    except ServiceError as error:
        raise click.ClickException(str(error)) from None


def address(world: World, url: str | None) -> str:
    """Where the service is, as *url* or else the variables say."""
    return (url or world.variables.get("HASHCACHE_URL") or _DEFAULT_URL).rstrip("/")


def _key(world: World, key: str | None) -> str | None:
    return key or world.variables.get("HASHCACHE_API_KEY") or None


def remote_options(command: _Command) -> _Command:
    """The options of every command that asks a running service: `--url`, `--key`, `--json`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
        click.option("--key", help="Who asks, for administration of role admin; or HASHCACHE_API_KEY."),
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
    url, key = address(world, url), _key(world, key)
    sent = {"Accept": "application/json", **(headers or {})}
    if key:
        if not (key.isascii() and key.isprintable()):
            raise click.ClickException(f"the key has characters that no key has. {_KEYS}")
        sent["X-API-Key"] = key
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            answer = client.request(method, url + path, content=content, headers=sent)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
        raise click.ClickException(f"no answer from {url} ({type(error).__name__}); {_ADVICE}") from None
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
