"""
A line of the log as JSON, made in one step.

The same line by structlog's chain of processors takes twice the time, and a hit has little else to do than to say so.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.processors import format_exc_info

from hashcache.ports import REQUEST

_encoder = msgspec.json.Encoder(enc_hook=repr)


class JsonLines(structlog.BoundLoggerBase):
    """A logger of structlog's that writes what is info or worse: the fields, the event, its context, level, instant."""

    def debug(self, event: str, **fields: Any) -> None:
        """Nothing is written."""

    def info(self, event: str, **fields: Any) -> None:
        """Something happened."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Somebody should know."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Somebody should look."""
        self._write("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """As `error`, with the exception that is being handled."""
        self._write("error", event, {"exc_info": True, **fields})

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        line = {**self._context, **fields} if self._context else fields
        line["event"] = event
        request = REQUEST.get()
        if request is not None:
            line["request"] = request
        line["level"], line["timestamp"] = level, datetime.now(UTC)
        if "exc_info" in line:
            line = dict(format_exc_info(None, level, line))
        self._logger.msg(encoded(line))


def encoded(line: object, **_: object) -> str:
    """*line* as JSON; what JSON does not know is written as Python shows it, and half a surrogate pair escaped."""
    try:
        return _encoder.encode(line).decode()
    except UnicodeEncodeError:
        return json.dumps(line, default=_shown)


def _shown(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)
