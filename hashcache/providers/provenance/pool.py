"""
The child processes of one service process: started when first needed, few, replaced when they die or are used up.

Rule 1: a child analyses one file at a time. Whoever does not get its report, because the deadline passed or the caller
        left, kills it: native code in the middle of strangers' bytes cannot be stopped otherwise.
Rule 2: a child is known by its own process object, and waited for after it was killed: none is left behind.
Rule 3: bytes that crash native code (a signal that a program raises on itself) do not fail the analysis: what was found
        before stands, and the crash is said as evidence. A child that somebody else killed has no such excuse.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderTimeout
from hashcache.providers.provenance import wire
from hashcache.providers.provenance.findings import Report, failed

NAME = "provenance"
_ROOT = Path(__file__).resolve().parents[3]
#: Isolated mode ignores the environment and the working directory; so the package is found by this path.
_START = (
    "import sys; root, descriptor = sys.argv[1:]; root in sys.path or sys.path.insert(0, root);"
    "from hashcache.providers.provenance.child import main; main(int(descriptor))"
)
#: Signals by which bytes bring their reader down: the same bytes would do it again.
_CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGXCPU}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    *children*: at most so many at a time. *files*: a child is replaced after so many. *memory*: bytes of address space
    of a child. *deadline*: of one analysis, waiting for a free child included; *cpu*: seconds of processor time in it.
    """

    children: int = 2
    files: int = 200
    memory: int = 512 << 20
    deadline: timedelta = timedelta(seconds=30)
    cpu: int = 20


class Pool:
    """The children. *anchors*: certificates in PEM whose signatures are trusted."""

    def __init__(self, limits: Limits, *, anchors: str = "") -> None:
        self._limits = limits
        self._setup = wire.Setup(anchors, limits.memory, limits.cpu, limits.files)
        self._places = asyncio.Semaphore(limits.children)
        self._idle: list[_Child] = []
        self._alive: set[_Child] = set()
        self._closed = False

    async def analyse(self, descriptor: int, task: wire.Task) -> Report:
        """
        The report on the file behind *descriptor*, whose offset is not moved and which stays open.

        Raises:
            ProviderTimeout: the deadline passed; its child is gone.
            ProviderFailed: the child could not be started, or died for a reason of its own.
            ProviderInvalid: the child said something that is no report.
        """
        try:
            async with asyncio.timeout(self._limits.deadline.total_seconds()), self._places:
                return await self._with_child(descriptor, task)
        except TimeoutError:
            message = f"the local analysis did not end within {self._limits.deadline.total_seconds():g} seconds"
            raise ProviderTimeout(NAME, message) from None

    async def _with_child(self, descriptor: int, task: wire.Task) -> Report:
        if self._closed:
            raise ProviderFailed(NAME, "the local analysis is closed")
        child = self._idle.pop() if self._idle else await self._started()
        try:
            report = await child.analyse(descriptor, task)
        except BaseException:
            await self._end(child)
            raise
        if child.files >= self._limits.files or not report.complete or self._closed:
            await self._end(child)
        else:
            self._idle.append(child)
        return report

    async def _started(self) -> _Child:
        child = await _Child.start()
        self._alive.add(child)
        try:
            if self._closed:
                raise ProviderFailed(NAME, "the local analysis is closed")
            await child.prepare(self._setup)
        except BaseException:
            await self._end(child)
            raise
        return child

    async def _end(self, child: _Child) -> None:
        await child.end()
        self._alive.discard(child)  # not before: `close` waits for whoever is still in there

    async def close(self) -> None:
        """End all children and wait for them; analyses under way fail. Safe to call twice."""
        self._closed = True
        for child in self._alive:
            child.kill()
        # Whoever is inside sees the end of its child's socket (closing our end here would wake nobody), ends the
        # child and leaves; whoever was just starting one ends it on the way out.
        for _ in range(self._limits.children):
            await self._places.acquire()
        for child in list(self._alive):
            await self._end(child)
        self._idle.clear()
        for _ in range(self._limits.children):
            self._places.release()


class _Child:
    """One child process and our end of the socket to it."""

    def __init__(self, process: Process, channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._killed = False
        self.files = 0

    @classmethod
    async def start(cls) -> Self:
        """
        Start one, which then waits for its setup.

        Raises:
            ProviderFailed: the system does not let us.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003  the standard library's own signature
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-I", "-X", "utf8", "-c", _START, str(_ROOT), str(theirs.fileno())),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=DEVNULL,
                    env={},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # a terminal's interrupt is for the service
                )
            except BaseException as error:
                ours.close()
                if isinstance(error, OSError):
                    raise ProviderFailed(NAME, "no process for the local analysis could be started") from error
                raise
        return cls(process, ours)

    async def prepare(self, setup: wire.Setup) -> None:
        """
        Hand over *setup*; returns when the child is behind its limits.

        Raises:
            ProviderFailed, ProviderInvalid: it never was.
        """
        await self._send(wire.frame(setup))
        await self._read(wire.Ready)

    async def analyse(self, descriptor: int, task: wire.Task) -> Report:
        """One file; errors as `Pool.analyse`, without the deadline. An incomplete report: it was the last."""
        self.files += 1
        message = wire.frame(task)
        try:
            sent = socket.send_fds(self._channel, [message], [descriptor])  # tiny, into an empty buffer: never blocks
        except OSError:
            raise await self._died() from None
        if rest := message[sent:]:
            await self._send(rest)
        report: Report | None = None
        while report is None or not report.complete:
            try:
                report = await self._read(Report)
            except ProviderFailed:
                if report is None or -await self._process.wait() not in _CRASHES:
                    raise
                crash = failed("C2PA manifest", f"the reader of the manifest crashed (signal {-self._code()})")
                return msgspec.structs.replace(report, findings=(*report.findings, crash))
        return report

    def kill(self) -> None:
        """
        Kill the process, by its own id and whatever it does. Only once: a second `Process.kill` may reap the process
        before the event loop does, which then takes its exit code for lost and logs that.
        """
        if self._process.returncode is None and not self._killed:
            self._killed = True
            self._process.kill()

    async def end(self) -> None:
        """Kill the process, wait for it, and close our end of the socket, on which nobody may wait any more."""
        self._channel.close()
        self.kill()
        await self._process.wait()

    def _code(self) -> int:
        return self._process.returncode or 0

    async def _send(self, message: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._channel, message)
        except OSError:
            raise await self._died() from None

    async def _read(self, kind: type[Any]) -> Any:
        try:
            length = wire.length(await self._exactly(4))
            return wire.read(await self._exactly(length), kind)
        except (ValueError, msgspec.MsgspecError):
            raise ProviderInvalid(NAME, "the process of the local analysis did not send a report") from None

    async def _exactly(self, length: int) -> bytes:
        loop = asyncio.get_running_loop()
        found = bytearray()
        while len(found) < length:
            try:
                more = await loop.sock_recv(self._channel, min(length - len(found), 1 << 16))
            except OSError:
                more = b""
            if not more:
                raise await self._died()
            found += more
        return bytes(found)

    async def _died(self) -> ProviderFailed:
        code = await self._process.wait()
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        return ProviderFailed(NAME, f"the process of the local analysis ended by itself ({why})")
