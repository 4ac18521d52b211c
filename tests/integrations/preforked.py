"""
A server of Flask that loads its application, asks it once, and then forks two workers, each at a port of its own.

It prints the two ports, and ends its workers when its standard input ends.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from flask import Blueprint, Flask, Response
from werkzeug.serving import make_server

from hashcache import SyncCache
from hashcache.integrations.flask import cached_route, current_cache, init_app
from hashcache.integrations.flask_admin import admin_blueprint

pages = Blueprint("pages", __name__)
HOST = "site.example"


@pages.get("/runs")
@cached_route(current_cache, "dashboard")
def runs() -> Response:
    """How often it ran in all processes."""
    ledger = Path(sys.argv[3])
    with ledger.open("a") as lines:
        lines.write("run\n")
    return Response(str(len(ledger.read_text("utf-8").splitlines())))


@pages.get("/process")
def process() -> str:
    """Which process answers."""
    return str(os.getpid())


def create_app(url: str, environment: str) -> Flask:
    """The application."""
    app, cache = Flask(__name__), SyncCache(url, environment=environment)
    init_app(app, cache)
    app.register_blueprint(pages)
    app.register_blueprint(admin_blueprint(cache, guard=lambda _: True))
    return app


def main() -> None:
    """Serve until standard input ends."""
    app = create_app(sys.argv[1], sys.argv[2])
    app.test_client().get("/runs", headers={"Host": HOST})
    workers = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(listener.getsockname()[1], flush=True)  # noqa: T201 - what the test reads
            pid = os.fork()
            if pid == 0:
                make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno()).serve_forever()
        workers.append(pid)
    sys.stdin.read()
    for pid in workers:
        os.kill(pid, 15)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
