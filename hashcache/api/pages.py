"""
The pages that people look at: `/`, `/admin` and the plain files they are made of, as they lie in web/.

Rule 1: only what lay in web/ when the process started is served, by its exact name: a request never touches a path.
Rule 2: a page loads nothing from another host, runs no inline script, and cannot be framed (POLICY).
Rule 3: names do not change with contents, so a browser asks each time and is told 304 (RFC 9110 section 13.1.2).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.problems import Problem
from hashcache.api.rendering import names

#: Content-Security-Policy: pictures and videos that somebody uploads are shown from blob: URLs.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file as it is sent: *plain*, or *packed* by gzip; *digest* names its bytes."""

    media_type: str
    plain: bytes
    packed: bytes
    digest: str


def folder() -> Path:
    """Where web/ lies: inside the package where a wheel was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "web"
    return installed if installed.is_dir() else package.parent / "web"


def read(web: Path) -> dict[str, WebFile]:
    """
    The files of *web* by their names; those of other types than _MEDIA_TYPES, and folders, are none.

    Raises:
        OSError: it cannot be read.
    """
    return {
        path.name: _file(path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for path in sorted(web.iterdir())
        if path.suffix in _MEDIA_TYPES and path.is_file()
    }


class WebPages:
    """`/`, `/admin`, `/favicon.ico` and `/web/{name}`. *files* are those of `read`."""

    def __init__(self, files: Mapping[str, WebFile]) -> None:
        self._files = files

    async def upload(self, request: Request) -> Response:
        """The upload page."""
        return self._serve("index.html", request)

    async def admin(self, request: Request) -> Response:
        """The dashboard; what it shows is behind a sign-in."""
        return self._serve("admin.html", request)

    async def icon(self, request: Request) -> Response:
        """The icon, where browsers look for it beside what names none, such as a JSON document."""
        return self._serve("icon.svg", request)

    async def file(self, request: Request) -> Response:
        """What a page is made of."""
        return self._serve(request.path_params["name"], request)

    def _serve(self, name: str, request: Request) -> Response:
        """
        The file *name*, packed for those who read that.

        Raises:
            Problem: `not-found`.
        """
        found = self._files.get(name)
        if found is None:
            raise Problem("not-found", "There is no such file.")
        packed = _reads_gzip(request.headers.get("accept-encoding", ""))
        # A strong tag belongs to one representation (RFC 9110 section 8.8.3).
        headers = {**_HEADERS, "ETag": f'"{found.digest}-gzip"' if packed else f'"{found.digest}"'}
        if names(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(found.packed if packed else found.plain, 200, headers, found.media_type)


def _file(plain: bytes, media_type: str) -> WebFile:
    return WebFile(media_type, plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest()[:32])


def _reads_gzip(accept: str) -> bool:
    """Whether Accept-Encoding (RFC 9110 section 12.5.3) names gzip; a weight of nought refuses it."""
    codings = [one.replace(" ", "").partition(";") for one in accept.lower().split(",")]
    return any(name == "gzip" and weight.strip("0.") != "q=" for name, _, weight in codings)
