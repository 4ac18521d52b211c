"""`hashcache analyze`, `lookup`, `stats` and `clear` as processes, in pipes and in a terminal."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.harness.contents import photo, text
from tests.harness.front import Front, Trick
from tests.harness.http import client
from tests.harness.process import ROOT
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.terminal import Terminal
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

SMALL = 1000


def fill(folder: Path, number: int, *, size: int = SMALL) -> list[bytes]:
    """So many photos in *folder* and below it."""
    contents = [photo(size) for _ in range(number)]
    for at, content in enumerate(contents):
        below = folder / f"album-{at // 100}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{at:04}.jpg").write_bytes(content)
    return contents


@pytest.mark.timeout(180)
async def test_of_a_thousand_files_ten_are_uploaded(shell: Shell, front: Front, vendor: ScriptedVendor) -> None:
    """990 of 1,000 files are known: ten are uploaded, counted at the server, and it says so, with the money."""
    contents = fill(shell.folder / "known", 990)
    first = await shell("analyze", "known", "--concurrency", "16", seconds=120)
    assert (first.code, first.err) == (0, "")
    assert (front.asked["PUT"], vendor.ledger.contents) == (990, 990)
    fill(shell.folder / "new", 10, size=3_800_000)
    front.asked.clear()
    front.uploaded = 0
    ended = await shell("analyze", "known", "new")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[-1] == "1,000 files: 990 known, 10 uploaded (38 MB), $0.10 spent, $9.90 saved"
    assert len(lines) == 1001
    assert sum("  known     " in line for line in lines) == 990
    assert lines[0].split() == ["ai_generated", "0.98", "high", "known", "known/album-0/0000.jpg"]
    assert (front.asked["PUT"], front.uploaded) == (10, 38_000_000)
    assert front.asked["POST"] == 2
    assert vendor.ledger.calls == 1000
    assert sha256(contents[0]).hexdigest() in vendor.ledger.by_digest


async def test_json_is_one_object_a_line(shell: Shell, front: Front) -> None:
    """Each file is an object with its path and the service's answer, in order; the summary goes to stderr."""
    fill(shell.folder / "album", 3)
    (shell.folder / "notes.bin").write_bytes(b"\x00\x01" * 50)
    (shell.folder / "same.jpg").write_bytes((shell.folder / "album/album-0/0000.jpg").read_bytes())
    ended = await shell("analyze", "album", "same.jpg", "notes.bin", "--json")
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert [one["path"].rpartition("/")[2] for one in told] == [
        "0000.jpg",
        "0001.jpg",
        "0002.jpg",
        "same.jpg",
        "notes.bin",
    ]
    assert [one["cached"] for one in told] == [False, False, False, True, None]
    assert [one["success"] for one in told] == [True, True, True, True, False]
    assert len({frozenset(one) for one in told}) == 1
    assert told[0]["result"]["verdict"] == "ai_generated"
    assert told[0]["cost"] == {"spent_usd": "0.01", "saved_usd": "0"}
    assert told[3]["cost"] == {"spent_usd": "0", "saved_usd": "0"}
    assert told[0]["sha256"] == told[3]["sha256"]
    assert told[4]["problem"]["slug"] == "unsupported-kind"
    assert ended.err == "5 files: 1 known, 3 uploaded (3 kB), 1 failed, $0.03 spent, $0.00 saved\n"
    assert ended.code == 1
    assert front.asked["PUT"] == 4
    # Asked again: each line says what was saved, the same bytes saved it once, and all lines add up to the summary.
    again = await shell("analyze", "album", "same.jpg", "--json")
    assert [json.loads(line)["cost"] for line in again.out.splitlines()] == [
        *[{"spent_usd": "0", "saved_usd": "0.01"}] * 3,
        {"spent_usd": "0", "saved_usd": "0"},
    ]
    assert again.err == "4 files: 4 known, 0 uploaded, $0.00 spent, $0.03 saved\n"


async def test_standard_input(shell: Shell, front: Front) -> None:
    """`-` is what comes in by the pipe, of any size, uploaded once."""
    content = photo(2_000_000)
    for known in (0, 1):
        ended = await shell("analyze", "-", "--json", stdin=content)
        assert ended.code == 0, ended.err
        told = json.loads(ended.out)
        assert (told["path"], told["sha256"], told["cached"]) == ("-", sha256(content).hexdigest(), bool(known))
    assert (front.asked["PUT"], front.uploaded) == (1, 2_000_000)


async def test_fail_on(shell: Shell, vendor: ScriptedVendor) -> None:
    """A verdict that is named gives exit code 3, another one 0; a wrong verdict is wrong use."""
    (shell.folder / "photo.jpg").write_bytes(photo())
    assert (await shell("analyze", "photo.jpg", "--fail-on", "ai_generated")).code == 3
    assert (await shell("analyze", "photo.jpg", "--fail-on", "captured", "--fail-on", "ai_edited")).code == 0
    (await shell("analyze", "photo.jpg", "--fail-on", "ai")).refusal(2)
    assert vendor.ledger.calls == 1


async def test_one_bad_file_stops_no_other(shell: Shell, vendor: ScriptedVendor) -> None:
    """What the vendor fails on is one line on stderr; the rest is done; exit code 1."""
    fill(shell.folder / "album", 2)
    (shell.folder / "album/album-0/more.jpg").write_bytes(photo(SMALL))
    vendor.then(status(500))
    ended = await shell("analyze", "album", "--concurrency", "1")
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == "3 files: 0 known, 2 uploaded (2 kB), 1 failed, $0.02 spent, $0.00 saved"
    (line,) = ended.err.splitlines()
    assert line.startswith("album/album-0/0000.jpg: ")


async def test_names_that_mean_nothing(shell: Shell, front: Front) -> None:
    """A file that is not there is one clear line, before anything is asked; no name at all is wrong use."""
    (shell.folder / "photo.jpg").write_bytes(photo())
    assert "nowhere.jpg" in (await shell("analyze", "photo.jpg", "nowhere.jpg")).refusal(1)
    (await shell("analyze")).refusal(2)
    assert not front.asked


async def test_nobody_listens(shell: Shell) -> None:
    """One line that says what to do."""
    (shell.folder / "photo.jpg").write_bytes(photo())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    all_words = (("analyze", "photo.jpg"), ("lookup", "photo.jpg"), ("clear", "*", "--yes"), ("stats",))
    # Each tries for two seconds and a half: together.
    for ended in await asyncio.gather(*(shell(*words, "--url", url) for words in all_words)):
        said = ended.refusal(1)
        assert len(said.splitlines()) == 1
        assert "hashcache serve" in said


async def test_hidden_files_and_names_that_bite(shell: Shell) -> None:
    """Hidden files below a folder are left out; what a terminal would obey in a name is escaped."""
    (shell.folder / "album").mkdir()
    (shell.folder / "album/.hidden.jpg").write_bytes(photo())
    (shell.folder / "album/a\x1b[31m\n.jpg").write_bytes(photo())
    ended = await shell("analyze", "album")
    assert ended.out.splitlines()[0].endswith("album/a\\x1b[31m\\n.jpg")
    assert ended.out.splitlines()[1].startswith("1 file: ")


async def test_in_a_terminal(shell: Shell) -> None:
    """A terminal shows a bar while it runs, and the same table and summary; a pipe has neither colour nor bar."""
    fill(shell.folder / "album", 3)
    async with Terminal(shell.folder, "analyze", "album", environment=shell.environment) as terminal:
        assert await terminal.ended() == 0
        assert "\x1b[" in terminal.screen
        assert "3 files: 0 known, 3 uploaded (3 kB), $0.03 spent, $0.00 saved" in terminal.screen
    piped = await shell("analyze", "album")
    assert "\x1b" not in piped.out + piped.err
    assert "\r" not in piped.out + piped.err


async def test_interrupted(shell: Shell, vendor: ScriptedVendor, service: Service) -> None:
    """Ctrl-C in the middle of an upload: exit code 130, no traceback, no temporary file; what was bought is kept."""
    opened = asyncio.Event()
    vendor.then(gate(opened, ok()))
    content = photo()
    (shell.folder / "photo.jpg").write_bytes(content)
    variables = {**shell.environment, "TMPDIR": str(shell.folder)}
    async with Terminal(shell.folder, "analyze", "photo.jpg", environment=variables) as terminal:
        await vendor.called(1)
        terminal.interrupt()
        assert await terminal.ended() == 130
        assert "Traceback" not in terminal.screen
        assert "Interrupted." in terminal.screen
    opened.set()
    assert [path.name for path in shell.folder.iterdir()] == ["photo.jpg"]
    assert (await shell("analyze", "photo.jpg")).out.count("known") == 2
    assert vendor.ledger.calls == 1


async def test_a_reader_that_leaves(shell: Shell) -> None:
    """`hashcache analyze ... | head -1` ends without a word on stderr."""
    fill(shell.folder / "album", 30)
    command = f"'{sys.executable}' -m hashcache analyze album | head -n 1"
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=shell.folder,
        env={**shell.environment, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert (len(out.splitlines()), err) == (1, b"")


# --- lookup, stats, clear ------------------------------------------------------------------------------------------


async def test_lookup(shell: Shell, front: Front) -> None:
    """Files and digests, known or not, a line each; exit code 1 when one is unknown; nothing is uploaded."""
    known, unknown = photo(), photo()
    (shell.folder / "known.jpg").write_bytes(known)
    (shell.folder / "unknown.jpg").write_bytes(unknown)
    await shell("analyze", "known.jpg")
    digest = sha256(known).hexdigest()
    ended = await shell("lookup", "known.jpg", digest)
    assert ended.code == 0, ended.err
    assert [line.split() for line in ended.out.splitlines()] == [
        ["known", "ai_generated", "known.jpg"],
        ["known", "ai_generated", digest],
    ]
    ended = await shell("lookup", "unknown.jpg", "known.jpg", "--json")
    assert ended.code == 1
    assert [json.loads(line)["status"] for line in ended.out.splitlines()] == ["unknown", "known"]
    assert front.asked["PUT"] == 1


async def test_stats(shell: Shell, service: Service) -> None:
    """For people on short lines, for scripts the service's answer."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        before = (await admin.get("/api/admin/cache/stats")).json()["money"]
    (shell.folder / "photo.jpg").write_bytes(photo())
    for _ in range(2):
        await shell("analyze", "photo.jpg")
    after = json.loads((await shell("stats", "--json")).out)["money"]
    assert after["calls"] == before["calls"] + 1
    for name in ("spent_usd", "saved_usd"):
        assert Decimal(after[name]) == Decimal(before[name]) + Decimal("0.01")
    ended = await shell("stats")
    assert (ended.code, ended.err) == (0, "")
    spent, saved = (f"${Decimal(after[name]):.2f}" for name in ("spent_usd", "saved_usd"))
    assert f"{spent} spent, {saved} saved" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines())


async def test_clear_in_a_pipe(shell: Shell) -> None:
    """Without --yes it counts, touches nothing and says what to say; with it, it clears and tells how many."""
    fill(shell.folder / "album", 3)
    await shell("analyze", "album")
    said = (await shell("clear", "analysis:*")).refusal(2)
    assert "3 entries match analysis:*" in said
    assert "--yes" in said
    assert (await shell("clear", "analysis:*", "--dry-run")).out == "3 entries match analysis:*\n"
    ended = await shell("clear", "analysis:*", "--yes", "--json")
    assert (json.loads(ended.out)["deleted"], json.loads(ended.out)["done"]) == (3, True)
    assert (await shell("clear", "*", "--yes")).out == "0 entries cleared\n"


@pytest.mark.parametrize(("keys", "code", "left"), [("n\n", 1, 1), ("y\n", 0, 0), ("", 130, 1)])
async def test_clear_asks(shell: Shell, keys: str, code: int, left: int) -> None:
    """In a terminal it asks: no clears nothing, yes clears, and so Ctrl-C at the question is no yes."""
    (shell.folder / "note.txt").write_text(text(), encoding="utf-8")
    await shell("analyze", "note.txt")
    async with Terminal(shell.folder, "clear", "text:*", environment=shell.environment) as terminal:
        await terminal.asks("1 entry matches text:*. Clear? [y/N]:")
        if keys:
            terminal.press(keys)
        else:
            terminal.interrupt()
        assert await terminal.ended() == code
        assert "Traceback" not in terminal.screen
    assert (await shell("clear", "*", "--dry-run")).out.startswith("0" if not left else "1")


async def test_a_wrong_key(shell: Shell, front: Front) -> None:
    """It says which key is needed, and does not repeat the one that was sent."""
    for words in (("clear", "*", "--yes"), ("stats",)):
        said = (await shell(*words, environment={"HASHCACHE_API_KEY": "wrong-key-of-nobody"})).refusal(1)
        assert "role admin" in said
        assert "wrong-key-of-nobody" not in said


async def test_a_gateway_in_between(shell: Shell, front: Front, vendor: ScriptedVendor) -> None:
    """An answer that is lost costs nothing twice, seen from the command line."""
    (shell.folder / "photo.jpg").write_bytes(photo())
    front.play("PUT", Trick(lose=True))
    assert (await shell("analyze", "photo.jpg")).code == 0
    assert (front.asked["PUT"], vendor.ledger.calls) == (1, 1)
