"""`hashcache warm`, `inspect` and `completion` as processes."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256

import pytest

from tests.cli.conftest import Shell
from tests.cli.test_analyze import fill
from tests.harness.contents import photo
from tests.harness.front import Front
from tests.harness.terminal import Terminal
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("end", ["interrupted", "killed"])
async def test_warm_goes_on_where_it_stopped(shell: Shell, front: Front, vendor: ScriptedVendor, end: str) -> None:
    """Interrupted or killed after three of six: the next sitting passes over those, and does the rest."""
    fill(shell.folder / "album", 6)
    never = asyncio.Event()
    vendor.then(ok(), ok(), ok(), gate(never, ok()))
    words = ("warm", "album", "--state", "state.jsonl", "--concurrency", "1")
    async with Terminal(shell.folder, *words, environment=shell.environment) as terminal:
        await vendor.called(4)
        if end == "killed":
            terminal.kill()
        else:
            terminal.interrupt()
        assert await terminal.ended() == (-9 if end == "killed" else 130)
    never.set()
    assert len((shell.folder / "state.jsonl").read_text().splitlines()) == 3
    front.asked.clear()
    ended = await shell(*words)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("3 files: ")
    assert "; 3 were done before" in ended.out
    assert vendor.ledger.contents == vendor.ledger.calls == 6
    front.asked.clear()
    assert (await shell(*words)).out.startswith("0 files: 0 known, 0 uploaded")
    assert not front.asked


async def test_warm_looks_again_at_what_changed_or_failed(shell: Shell, vendor: ScriptedVendor) -> None:
    """A file with other bytes, and one that the vendor failed on, are not done; the state has a place of its own."""
    fill(shell.folder / "album", 2)
    vendor.then(status(422))
    variables = {"XDG_STATE_HOME": str(shell.folder / "states")}
    first = await shell("warm", "album", "--json", environment=variables)
    assert first.code == 1
    told = json.loads(first.out)
    assert (told["uploaded"], told["failed"], told["done_before"]) == (1, 1, 0)
    assert told["state"].startswith(str(shell.folder / "states/hashcache/warm-"))
    for path in (shell.folder / "album/album-0").iterdir():
        path.write_bytes(photo())
    told = json.loads((await shell("warm", "album", "--json", environment=variables)).out)
    assert (told["uploaded"], told["failed"], told["done_before"]) == (2, 0, 0)


async def test_inspect(shell: Shell) -> None:
    """Who said it, when, at what price, how often it was hit, until when it is kept; by its SHA-256 or its key."""
    content = photo()
    digest = sha256(content).hexdigest()
    (shell.folder / "photo.jpg").write_bytes(content)
    assert "Nothing is known" in (await shell("inspect", digest)).refusal(1)
    await shell("analyze", "photo.jpg")
    ended = await shell("inspect", digest.upper())
    assert (ended.code, ended.err) == (0, "")
    fields = {line[:12].strip(): line[12:] for line in ended.out.splitlines()}
    assert fields["key"].startswith(f"analysis:{digest}:")
    assert fields["verdict"] == "ai_generated (score 0.98, confidence high)"
    assert fields["expires in"].startswith("6 d 23 h")
    assert (fields["price"], fields["tenant"], fields["hits"]) == ("$0.01", "default", "0")
    (told,) = json.loads((await shell("inspect", fields["key"], "--json")).out)["entries"]
    assert (told["provider"], told["ttl_seconds"] > 600_000) == ("generic", True)
    assert "SHA-256" in (await shell("inspect", "photo.jpg")).refusal(1)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
async def test_completion(shell: Shell, name: str) -> None:
    """A script for the shell, and what it asks for: commands by their beginning."""
    ended = await shell("completion", name)
    assert (ended.code, ended.err) == (0, "")
    assert f"_HASHCACHE_COMPLETE={name}_complete" in ended.out
    asked = {"_HASHCACHE_COMPLETE": "bash_complete", "COMP_WORDS": "hashcache ana", "COMP_CWORD": "1"}
    assert (await shell(environment=asked)).out == "plain,analyze\n"
