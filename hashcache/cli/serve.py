"""
`hashcache serve`: start the service.

Rule 1: everything that can be wrong with the settings is said before a worker starts, in a line each.
Rule 2: asked to end by a signal, it ends with code 0.
Rule 3: the admin token of this run is made here, in the parent: all workers share it. So is the limit of open files.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import signal
import socket
import sys
from types import FrameType

import click
import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess

from hashcache import __version__, app
from hashcache.cli import descriptors
from hashcache.cli.protocol import BoundedHeads
from hashcache.cli.world import World, WrongSettings
from hashcache.core.errors import SettingsError
from hashcache.core.money import decimal
from hashcache.ports import StoreHealth
from hashcache.settings import Settings, is_loopback

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")

_DEFAULT_HOST = "127.0.0.1"
#: Longer than the proxies in front keep their connections, so that they, not we, close an idle one.
_KEEP_ALIVE = 75
_BACKLOG = 2048


@click.command()
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. [default: 8000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes. [default: 1]")
@click.pass_obj
def serve(world: World, host: str | None, port: int | None, workers: int | None) -> None:
    """Start the service."""
    options = {
        "HASHCACHE_HOST": host,
        "PORT": str(port) if port else None,
        "WEB_CONCURRENCY": str(workers) if workers is not None else None,
    }
    settings = world.settings(**options)
    address = settings.host or _DEFAULT_HOST
    # The workers are told as well: what they show without a key depends on who can reach them.
    options["HASHCACHE_HOST"] = address
    settings = world.settings(**options)
    try:
        settings.check_address(address)
        token = None
        if settings.admin_token is None and is_loopback(address) and not _has_admin(settings):
            token = secrets.token_urlsafe(24)
            settings = world.settings(**options, HASHCACHE_ADMIN_TOKEN=token)
    except SettingsError as error:
        raise WrongSettings(str(error)) from None
    try:
        health = asyncio.run(app.preflight(settings))
    except SettingsError as error:
        raise WrongSettings(str(error)) from None
    limits = descriptors.raised()
    if limits is not None:
        log.debug("descriptors.raised", before=limits[0], now=limits[1])
    listening = _listen(address, 0 if port == 0 else settings.port)
    _greet(settings, health, f"http://{_shown(address)}:{listening.getsockname()[1]}", token)
    _run(settings, listening)


def _has_admin(settings: Settings) -> bool:
    return any(key.role == "admin" for key in settings.api_keys)


def _listen(address: str, port: int) -> socket.socket:
    """A listening socket, so that a port that is taken is one clear line."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address.strip("[]"), port))
    except OSError as error:
        listening.close()
        raise click.ClickException(f"cannot listen on {address}:{port}: {error.strerror}; try --port") from None
    listening.listen(_BACKLOG)
    listening.set_inheritable(True)
    return listening


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _greet(settings: Settings, health: StoreHealth, url: str, token: str | None) -> None:
    """What somebody who starts it wants to know, on stderr."""
    lines = [
        f"hashcache {__version__} listens on {url}",
        f"  store      {_store_line(settings, health)}",
        f"  providers  {_providers_line(settings)}",
        *_money_lines(settings),
    ]
    if token is not None:
        # Behind the hash, so that no browser sends it and no log keeps it: the page trades it for a session.
        lines.append(f"  admin      {url}/admin#token={token} (for this run)")
    elif not settings.admin_token and not _has_admin(settings):
        lines.append("  admin      closed: set HASHCACHE_ADMIN_TOKEN to open it")
    click.echo("\n".join(lines), err=True)


def _store_line(settings: Settings, health: StoreHealth) -> str:
    where = f"{health.where} (from {settings.store_from})"
    match health.status:
        case "embedded":
            if settings.store.startswith("memory:"):
                return f"{where}: gone when this process ends"
            return f"{where}: answers survive a restart"
        case "connected":
            return f"{where}: connected"
        case "off":
            return "off: nothing is kept, every upload is analysed"
        case _:
            return f"{where}: AWAY ({health.reason or 'no answer'}); requests go on, answers are kept when it is back"


def _providers_line(settings: Settings) -> str:
    shown = ", ".join(f"{kind.value}: {' then '.join(names)}" for kind, names in settings.providers.items())
    return shown if settings.paid else f"{shown} (local and free of charge)"


def _money_lines(settings: Settings) -> list[str]:
    """The budgets, and whose price is not known; nothing where nothing can be spent."""
    if not settings.paid:
        return []
    shown = [f"{one.scope} ${decimal(one.most)} a {one.period}" for one in settings.budgets]
    lines = [f"  budgets    {', '.join(shown) or 'none; HASHCACHE_DAILY_BUDGET_USD sets one'}"]
    prices = {name: vendor.price for name, vendor in settings.vendors.items()}
    if settings.generic is not None:
        prices["generic"] = settings.generic.price
    asked = dict.fromkeys(name for names in settings.providers.values() for name in names)
    return lines + [
        f"  WARNING    a call to {name} costs $0 as far as is known: nothing of it counts as spent or saved, "
        f"and no budget holds it; set HASHCACHE_{name.upper()}_PRICE_USD"
        for name in asked
        if prices.get(name) == 0
    ]


def _run(settings: Settings, listening: socket.socket) -> None:
    config = uvicorn.Config(
        "hashcache.__main__:create",
        factory=True,
        workers=settings.workers,
        http=BoundedHeads,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.grace.total_seconds()),
        backlog=_BACKLOG,
    )
    with listening:
        if settings.workers > 1:
            _Workers(config, sockets=[listening]).run()
        else:
            # uvicorn ends well and then raises the signal again: by that time there is nothing left to do.
            for one in (signal.SIGINT, signal.SIGTERM):
                signal.signal(one, _ended)
            server = uvicorn.Server(config)
            server.run(sockets=[listening])
            if not server.started:
                raise click.ClickException("the service could not start; the lines above say why")


class _Workers(Multiprocess):
    """Worker processes, each with the listening socket as its own."""

    def terminate_all(self) -> None:
        """End them. First our copy of the socket goes: else clients would wait in a queue that nobody serves."""
        for one in self.sockets:
            one.close()
        super().terminate_all()


def _ended(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(0)
