"""
Uploads to a paid analysis API: hashed first, bought once, counted to the cent; with the service and its Python client.

    python docs/examples/21_uploads.py [STORE]

It starts `hashcache serve` and an imitation of a vendor, both on loopback, and prints:

    photo.jpg    bought, verdict ai_generated, score 0.98, spent $0.01
    again        cached, verdict ai_generated, score 0.98, saved $0.01, bytes uploaded: 0
    renamed      cached, verdict ai_generated, score 0.98, saved $0.01, bytes uploaded: 0
    letter.txt   bought, verdict ai_generated, score 0.98, spent $0.01
    known of 3 contents: 2, saved $0.02
    the vendor was called 2 times; spent $0.02, saved $0.04
    cleared analysis:*: 1 entry
    photo.jpg    bought, verdict ai_generated, score 0.98, spent $0.01
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from hashcache import Analysis, Client

SAMPLES = Path(__file__).parents[1] / "samples"
TOKEN = "admin-of-this-example-alone"


class Vendor(BaseHTTPRequestHandler):
    """Takes a file or a text, says that it is made by AI, and takes a cent."""

    calls = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Vendor.calls += 1
        answer = json.dumps({"type": {"ai_generated": 0.98}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def vendor() -> Iterator[str]:
    """The address of a vendor."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Vendor) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/detect"
        server.shutdown()


@contextmanager
def service(vendor: str, store: str, folder: str) -> Iterator[str]:
    """The address of a service that buys from *vendor*; its settings are the file .env of *folder*."""
    settings = {
        "HASHCACHE_STORE": store,
        "HASHCACHE_ENV": "example-21",
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": vendor,
        "HASHCACHE_GENERIC_SCORE": "/type/ai_generated",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        "HASHCACHE_ADMIN_TOKEN": TOKEN,
    }
    Path(folder, ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [sys.executable, "-m", "hashcache", "serve", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        if process.stderr is None:
            raise RuntimeError("it has nothing to say where it listens")
        try:
            yield process.stderr.readline().split()[-1]  # "hashcache ... listens on http://127.0.0.1:..."
        finally:
            process.terminate()


def show(what: str, analysis: Analysis) -> None:
    """Print *analysis*."""
    cost = analysis.cost
    print(f"{what:<13}{'cached' if analysis.cached else 'bought'}, verdict {analysis.verdict.value}", end=", ")
    print(f"score {analysis.score_ai}", end=", ")
    told = f"saved ${cost.saved_usd}, bytes uploaded: {analysis.uploaded}"
    print(told if analysis.cached else f"spent ${cost.spent_usd}")


def use(cache: Client, folder: str) -> None:
    """What an application does."""
    photo, renamed = SAMPLES / "photo.jpg", Path(folder, "holiday.jpg")
    shutil.copyfile(photo, renamed)
    cache.clear(reason="example")
    before = cache.spend().all_time
    show("photo.jpg", cache.analyze(photo))
    show("again", cache.analyze(photo))
    show("renamed", cache.analyze(renamed))
    show("letter.txt", cache.analyze(text=(SAMPLES / "letter.txt").read_text("utf-8")))
    asked = cache.lookup([photo, SAMPLES / "ai-signed.jpg", SAMPLES / "letter.txt"])
    known = sum(one.status == "known" for one in asked.found)
    print(f"known of {len(asked.found)} contents: {known}, saved ${asked.cost.saved_usd}")
    now = cache.spend().all_time
    spent, saved = now.spent_usd - before.spent_usd, now.saved_usd - before.saved_usd
    print(f"the vendor was called {Vendor.calls} times; spent ${spent}, saved ${saved}")
    print(f"cleared analysis:*: {cache.clear('analysis:*', reason='new model').deleted} entry")
    show("photo.jpg", cache.analyze(photo))


def main() -> None:
    store = sys.argv[1] if sys.argv[1:] else "memory://"
    with (
        tempfile.TemporaryDirectory() as folder,
        vendor() as address,
        service(address, store, folder) as url,
        Client(url, api_key=TOKEN) as cache,
    ):
        use(cache, folder)


main()
