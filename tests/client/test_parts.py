"""What a client refuses when it is made, and what importing one costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hashcache.client import Client
from tests.harness.process import ROOT


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://[", "http://u:p@h", "http://h?x"]
)
def test_an_address_that_is_none(url: str) -> None:
    """ValueError with an example, when the client is made."""
    with pytest.raises(ValueError, match="as http://127"):
        Client(url)


@pytest.mark.parametrize("key", ["", "schlüssel", "two words", "line\nbreak"])
def test_a_key_that_is_none(key: str) -> None:
    """ValueError that does not repeat it."""
    with pytest.raises(ValueError, match="the key") as wrong:
        Client(api_key=key)
    assert not key or key not in str(wrong.value)


def test_importing_hashcache_loads_no_client() -> None:
    """The names are there, and are loaded when they are used; a wrong name is an AttributeError."""
    code = (
        "import sys, hashcache\n"
        "assert 'httpx' not in sys.modules and 'starlette' not in sys.modules\n"
        "assert set(hashcache.__all__) <= set(dir(hashcache))\n"
        "hashcache.Client, hashcache.AsyncClient, hashcache.Analysis\n"
        "assert 'httpx' in sys.modules\n"
        "assert not {'starlette', 'redis', 'uvicorn', 'hashcache.settings'} & set(sys.modules)\n"
        "for name in hashcache.__all__: getattr(hashcache, name)\n"
        "try: hashcache.Nothing\n"
        "except AttributeError: print('good')"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)  # noqa: PLW1510 - the code is looked at
    assert (ended.stdout, ended.stderr) == ("good\n", "")
