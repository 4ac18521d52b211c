"""Many answers that nobody bought, written straight into a Valkey server, as a service would in the environment dev."""

from __future__ import annotations

import hashlib
import socket
from datetime import timedelta
from pathlib import Path

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from tests.harness.valkey import Valkey


def write(path: Path, count: int, like: Key, *, now: int) -> None:
    """Commands (RESP) that store *count* answers of a week's life, with keys *like* this one, into the file *path*."""
    names, envelope = Names("dev"), Envelope(most=1_000_000)
    week = timedelta(days=7) // timedelta(milliseconds=1)
    label = Label("image", "default", "generic")
    with path.open("wb", buffering=1 << 20) as file:
        for place in range(count):
            key = Key(like.space, digest(place), like.variant)
            payload = b'{"verdict":"ai_generated","answer":{"number":0}}'
            entry = Entry(key, label, payload, 0, Instant(now), Instant(now + week))
            record = names.entry(key)
            sealed = envelope.seal(entry, record)
            head = f"*5\r\n$3\r\nSET\r\n${len(record)}\r\n{record}\r\n${len(sealed)}\r\n".encode()
            file.write(b"%b%b\r\n$2\r\nPX\r\n$9\r\n%d\r\n" % (head, sealed, week))


def digest(place: int) -> str:
    """The digest of the content number *place*, of which nobody has the bytes."""
    return hashlib.sha256(b"%d" % place).hexdigest()


def fill(valkey: Valkey, path: Path) -> None:
    """Send the commands in the file *path*; all are done."""
    with socket.create_connection(("127.0.0.1", valkey.port)) as connection:
        connection.sendall(b"CLIENT REPLY OFF\r\n")
        with path.open("rb") as file:
            connection.sendfile(file)
        connection.sendall(b"CLIENT REPLY ON\r\n")
        assert connection.recv(100) == b"+OK\r\n"
