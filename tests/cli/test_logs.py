"""A line of the log is JSON, whatever is told in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

_SAYS = r"""
import pathlib, structlog
from hashcache.ports import REQUEST
from hashcache.cli import logs
logs.configure()
REQUEST.set("r1")
log = structlog.get_logger("hashcache")
log.info("odd", name="\u00e9\u20ac", half="\ud800", what=pathlib.PurePosixPath("/x"), line="a\nb")
log.info("next", number=1)
log.debug("never", number=2)
log.bind(who="ann").warning("mind", number=3)
try:
    raise ValueError("half a pair: \ud800")
except ValueError as error:
    log.exception("here")
    log.error("there", exc_info=error)
import logging
logging.getLogger("uvicorn.error").error("from %s", "elsewhere")
"""


def test_every_line_is_json_of_its_own() -> None:
    """Letters beyond ASCII, half a surrogate pair, a value that JSON does not know and a line end break no line."""
    said = subprocess.run([sys.executable, "-c", _SAYS], stderr=subprocess.PIPE, check=True, timeout=30).stderr
    odd, after, mind, here, there, elsewhere = (json.loads(line) for line in said.decode().splitlines())
    assert (odd["name"], odd["line"], odd["request"], odd["event"]) == ("é€", "a\nb", "r1", "odd")
    assert odd["what"] == "PurePosixPath('/x')"
    assert odd["half"] == "\ud800"
    assert all(re.fullmatch(r"[-0-9]{10}T[:0-9]{8}(\.\d{6})?Z", one["timestamp"]) for one in (odd, after, elsewhere))
    assert (after["event"], after["number"], after["level"]) == ("next", 1, "info")
    assert (mind["level"], mind["who"], mind["number"]) == ("warning", "ann", 3)
    assert [one["level"] for one in (here, there, elsewhere)] == ["error"] * 3
    for one in (here, there):
        assert one["exception"].startswith("Traceback")
        assert one["exception"].endswith("ValueError: half a pair: \ud800")
        assert "exc_info" not in one
    assert (elsewhere["event"], elsewhere["request"]) == ("from elsewhere", "r1")
