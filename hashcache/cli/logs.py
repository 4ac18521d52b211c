"""
How the log looks: one line an event on stderr, coloured in a terminal, JSON elsewhere.

Rule: the server's own lines come through the same renderer, so a log has one format.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import msgspec
import structlog


def configure() -> None:
    """Set up structlog and the standard library's logging for this process."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    # An instant is written by whoever writes the line: spelling it in Python took a quarter of a line's time.
    last: list[structlog.types.Processor] = (
        [structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.dev.ConsoleRenderer()]
        if terminal
        else [_stamp, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_foreign(last)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("python_multipart", "uvicorn.error"):
        logging.getLogger(name).setLevel(
            logging.ERROR
        )  # they warn of each malformed request; our own line says it better


def _stamp(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    line["timestamp"] = datetime.now(UTC)
    return line


def _json(line: object, **_: object) -> str:
    """*line* as JSON; what JSON does not know is written as Python shows it, and half a surrogate pair escaped."""
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except UnicodeEncodeError:
        return json.dumps(line, default=_shown)


def _shown(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


def _foreign(last: list[structlog.types.Processor]) -> list[structlog.types.Processor]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
