"""
How the log looks: one line an event on stderr, coloured in a terminal, JSON elsewhere.

Rule: the server's own lines look like ours, so a log has one format.
"""

from __future__ import annotations

import logging
import sys

import structlog

from hashcache.cli.jsonlines import JsonLines, encoded
from hashcache.ports import REQUEST


def configure() -> None:
    """Set up structlog and the standard library's logging for this process."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        _of_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(encoded)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO) if terminal else JsonLines,
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


def _of_request(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the request for which *line* is written."""
    request = REQUEST.get()
    return line if request is None else {"request": request, **line}


def _foreign(last: list[structlog.types.Processor]) -> list[structlog.types.Processor]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
