"""What strangers' bytes cannot do: open, write, connect, take memory, or keep a process alive."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hashcache.providers.provenance.pool import Limits
from hashcache.providers.provenance.provider import ProvenanceProvider
from tests.harness import media
from tests.harness.analysis import analysed, children
from tests.harness.bodies import Spooled, described
from tests.harness.signatory import Signatory

#: Makes a provider with limits of a test's own, which is closed after it.
Maker = Callable[[Limits], ProvenanceProvider]
PNG = media.png_text("Software", "NovelAI")
ROOT = Path(__file__).parents[3]


def _highest(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


async def test_native_code_that_gets_no_memory_is_evidence(signatory: Signatory, made: Maker) -> None:
    """A file that the C2PA library finds no memory for: said as evidence, other markers count, nothing fails."""
    provider = made(Limits(memory=68 << 20))
    filler = media.segment(0xE5, bytes(65_000)) * 500
    plain = media.jpeg(media.segment(0xFE, b'{"AIGC":{"Label":"1"}}'), filler)
    result = await analysed(provider, signatory.sign(plain, "image/jpeg"))
    assert (result.verdict, result.confidence) == ("ai_generated", "medium")
    assert {one.signal for one in result.evidence} >= {"aigc_label", "analyser_error"}
    assert (await analysed(provider, PNG)).verdict == "ai_generated"


async def test_a_200_mb_video_takes_little_memory(made: Maker) -> None:
    """The analysis of a 200 MB MP4: this process and the child together grow by far less than 150 MB."""
    provider = made(Limits(children=1))
    head = media.mp4(media=0)[:-8] + (200_000_000).to_bytes(4, "big") + b"mdat"
    body = Spooled(head, size=len(head) - 8 + 200_000_000)
    before = psutil.Process().memory_info().rss
    await provider.start(described(head, body.size), body)
    (child,) = children()
    grown = psutil.Process().memory_info().rss - before
    assert grown + _highest(child.pid) < 100_000_000
    await body.close()


async def test_no_connection_is_opened_whatever_the_file_says(
    provider: ProvenanceProvider, signatory: Signatory
) -> None:
    """Remote manifests and document types that name a listening server of ours: it is never called."""
    connections = 0

    def called(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    for form, media_type in (("PNG", "image/png"), ("JPEG", "image/jpeg")):
        result = await analysed(provider, signatory.sign(media.picture(form), media_type, remote=address))
        assert [one.value for one in result.evidence] == ["at 127.0.0.1, not fetched"]
    await analysed(provider, media.jpeg_xmp(f'<!DOCTYPE x SYSTEM "{address}"><x/>'.encode()))
    assert connections == 0
    server.close()
    await server.wait_closed()


async def test_the_child_has_nothing_and_room_for_one_descriptor(provider: ProvenanceProvider) -> None:
    """No environment, no descriptor but its socket, and exactly one more (the file) fits; limits are in force."""
    await analysed(provider, PNG)
    (child,) = children()
    assert child.environ() == {}
    assert child.num_fds() == 4, "three times /dev/null, and the socket"
    assert child.rlimit(psutil.RLIMIT_NOFILE) == (5, 5)
    assert child.rlimit(psutil.RLIMIT_AS) == (512 << 20, 512 << 20)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CPU)[1] != resource.RLIM_INFINITY
    assert os.getsid(child.pid) == child.pid, "a terminal's interrupt is not for it"


_JAILED = """
import ctypes, errno, os, socket, sys
sys.path.insert(0, sys.argv[1])
from hashcache.providers.provenance import jail
libc = ctypes.CDLL(None, use_errno=True)
jail.limit(memory=1 << 30, cpu=30)
jail.close_doors()
file = os.dup(0)
refused = []
for attempt in (socket.socket, lambda: open("/etc/passwd"), os.fork, lambda: os.system("true"),
                lambda: socket.getaddrinfo("localhost", 80)):
    try:
        attempt()
    except PermissionError:
        refused.append(True)
native = libc.socket(2, 1, 0), ctypes.get_errno()
written = libc.write(1, b"x" * 10, 10), ctypes.get_errno()
ok = len(refused) == 5 and native == (-1, errno.EMFILE) and written == (-1, errno.EFBIG)
os._exit(0 if ok else 1)
"""
_BUSY = """
import sys
sys.path.insert(0, sys.argv[1])
from hashcache.providers.provenance import jail
jail.limit(memory=1 << 30, cpu=30)
jail.begin(cpu=0, seconds=float(sys.argv[2]))
while not sys.argv[3]: pass
import threading; threading.Event().wait()
"""


def test_behind_its_limits_a_process_can_open_and_write_nothing(tmp_path: Path) -> None:
    """With one file open, socket(2) itself answers EMFILE, Python refuses by name, and write(2) answers EFBIG."""
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run([sys.executable, "-I", "-c", _JAILED, ROOT], stdout=out, timeout=30, check=False)
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    ("seconds", "idle", "killed_by"), [("100", "", signal.SIGXCPU), ("-4.9", "idle", signal.SIGALRM)]
)
def test_the_kernel_ends_a_child_that_nobody_watches(seconds: str, idle: str, killed_by: signal.Signals) -> None:
    """Without its service a child still ends: by processor time when it is busy, by the clock when it hangs."""
    done = subprocess.run([sys.executable, "-I", "-c", _BUSY, ROOT, seconds, idle], timeout=30, check=False)
    assert done.returncode == -killed_by


_SERVICE = """
import asyncio, sys, psutil
from hashcache.providers.provenance.provider import ProvenanceProvider
from tests.harness.bodies import Held, described
async def main():
    provider = ProvenanceProvider(clock=lambda: 0)
    await provider.start(described(b"a text", 6), Held(b"a text"))
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_death_of_the_service_ends_its_children() -> None:
    """A service killed with SIGKILL closes nothing itself; its child sees the end of the socket and ends."""
    with subprocess.Popen([sys.executable, "-c", _SERVICE], stdout=subprocess.PIPE, cwd=ROOT) as service:
        assert service.stdout is not None
        watched = os.pidfd_open(int(service.stdout.readline()))
        service.kill()
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ended, "the child outlived its service"
