"""
The ceiling: what uvicorn with uvloop and httptools can do at most. It reads the body, forgets it, and answers with how
long it was.

A bare ASGI application: no framework, no parsing, no hashing, no store. Its answer is as long as a hit's.
"""

from __future__ import annotations

from typing import Any

ANSWER = b'{"success":true,"cached":true,"padding":"' + b"." * 400 + b'"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application (version 3) of HTTP and lifespan."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [*HEADERS, (b"x-received", b"%d" % received)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})
