"""
The child process: reads strangers' bytes under limits, one file after the other.

It starts with an empty environment, one socket and nothing else open, warms up whatever it will need (once its doors
are closed nothing can be loaded any more), and ends when the other side of the socket is gone.
"""

from __future__ import annotations

import os
import socket
import zlib
from types import ModuleType

from hashcache.core.content import Kind
from hashcache.providers.provenance import jail, wire
from hashcache.providers.provenance.markers.manifest import Manifests
from hashcache.providers.provenance.source import Memory, Window
from hashcache.providers.provenance.survey import Survey

_SOCKET = 3


def main(descriptor: int) -> None:
    """Serve the socket *descriptor* until its other side is closed."""
    if descriptor != _SOCKET:  # low numbers leave room for exactly one more under a low limit
        os.dup2(descriptor, _SOCKET, inheritable=False)
        os.close(descriptor)
    with socket.socket(fileno=_SOCKET) as channel:
        setup: wire.Setup = wire.read(_body(channel, _exactly(channel, 4)), wire.Setup)
        jail.limit(memory=setup.memory, cpu=setup.cpu * setup.files)
        library = _library()
        survey = Survey(Manifests(library, anchors=setup.anchors))
        _warm(survey)
        jail.close_doors()
        version = None if library is None else str(library.__version__)
        channel.sendall(wire.frame(wire.Ready(version)))
        for _ in range(setup.files):
            _serve(channel, survey, setup.cpu)


def _serve(channel: socket.socket, survey: Survey, cpu: int) -> None:
    head, descriptors, _, _ = socket.recv_fds(channel, 4, 1)
    if not head:
        raise SystemExit
    task: wire.Task = wire.read(_body(channel, head + _exactly(channel, 4 - len(head))), wire.Task)
    (descriptor,) = descriptors
    jail.begin(cpu=cpu, seconds=task.seconds)
    size = min(task.size, os.fstat(descriptor).st_size)
    for report in survey.of(Window(descriptor, size), task.kind, task.media_type):
        if report.complete:  # before the answer: the next file takes the descriptor's place
            jail.end()
            os.close(descriptor)
        channel.sendall(wire.frame(report))


def _exactly(channel: socket.socket, length: int) -> bytes:
    """*length* bytes; ends the process when the other side is gone."""
    found = b""
    while len(found) < length:
        more = channel.recv(length - len(found))
        if not more:
            raise SystemExit
        found += more
    return found


def _body(channel: socket.socket, head: bytes) -> bytes:
    return _exactly(channel, wire.length(head))


def _library() -> ModuleType | None:
    """The C2PA library; None where there is no wheel for it, or its native part does not load."""
    try:
        import c2pa  # noqa: PLC0415  its absence is an answer
    except (ImportError, OSError, RuntimeError):
        return None
    library: ModuleType = c2pa
    return library


def _warm(survey: Survey) -> None:
    """
    Load all that is loaded late: codecs, the XML parser, the C2PA library's error path. Nothing can be afterwards.
    """
    for coding in ("ascii", "latin-1", "utf-8", "utf-16-le", "utf-16-be", "iso2022_jp"):
        "a".encode(coding).decode(coding, "replace")
    text = Memory("as an AI language model \u200b\u200c\u202e p\u0430ypal \U000e0061".encode())
    packet = b"iTXtXML:com.adobe.xmp\0\0\0\0\0<x/>"
    chunks = (packet, b"zTXtComment\0\0" + zlib.compress(b"a"), b"caBX" + bytes(16), b"IEND")
    picture = Memory(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(chunk) for chunk in chunks))
    for source, kind, media_type in ((text, Kind.TEXT, "text/plain"), (picture, Kind.IMAGE, "image/png")):
        for _ in survey.of(source, kind, media_type):
            pass


def _chunk(content: bytes) -> bytes:
    """A PNG chunk of a name and its bytes."""
    return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
