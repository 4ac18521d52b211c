"""
Opening one connection, in redis-py's terms.

Rule 1: redis-py retries nothing and times nothing out: deadlines are on the whole of what is done with a connection.
Rule 2: TLS is verified, over one context for all connections.
Rule 3: a connection is open once the server has answered on it: one that is full, or frozen, is connected to all the
        same. Where no password is sent and no database chosen, that takes a PING.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hashcache.stores.redis.address import Address


class Way(Protocol):
    """How to come to a server whose address is not known beforehand, and changes. Its text is for people."""

    async def dial(self, patience: timedelta) -> Connection:
        """As the function of that name."""
        ...

    def leads_to(self, connection: Connection) -> bool:
        """Whether *connection* is one to the server that was found last."""
        ...

    async def watch(self, patience: timedelta) -> None:
        """Look now and then where it leads, for ever; each look takes *patience* at most."""
        ...


async def dial(address: Address | Way, patience: timedelta) -> Connection:
    """
    An open connection to *address*; the caller closes it.

    Raises what redis-py and sockets raise; TimeoutError when *patience* is over.
    """
    if not isinstance(address, Address):
        return await address.dial(patience)
    connection = _make(address, patience.total_seconds())
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it untyped
            if not (address.username or address.password or address.database):
                await converse(connection, "PING")
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def leads(address: Address | Way, connection: Connection) -> bool:
    """Whether *address* still leads to where *connection* was made to."""
    return isinstance(address, Address) or address.leads_to(connection)


async def watch(address: Address | Way, patience: timedelta) -> None:
    """Keep knowing where *address* leads: returns at once where that does not change."""
    if not isinstance(address, Address):
        await address.watch(patience)


async def converse(connection: Connection, *command: str) -> Any:
    """The reply to one *command*. Raises what redis-py and sockets raise."""
    try:
        await connection.send_packed_command(connection.pack_commands([command]))
    except RuntimeError as error:  # uvloop's word for writing to a connection that was reset
        raise ConnectionResetError(str(error)) from error
    return await connection.read_response()


class _TlsConnection(Connection):
    """A connection over one context of ours, shared: redis-py's own would read the system's certificates each time."""

    def __init__(self, *, tls: ssl.SSLContext, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._tls = tls

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._tls}


def _make(address: Address, patience: float) -> Connection:
    arguments: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "db": address.database,
        "username": address.username,
        "password": address.password,
        # RESP3 hides from 8.1.0 that the server closed an idle connection (redis-py issue 4252).
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        # Deadlines are ours, on the whole of an exchange; this one bounds closing.
        "socket_timeout": None,
        "socket_connect_timeout": patience,
        "socket_keepalive": True,
        # Each CLIENT SETINFO would be one more command to pay for.
        "driver_info": None,
    }
    return Connection(**arguments) if address.tls is None else _TlsConnection(tls=address.tls, **arguments)
