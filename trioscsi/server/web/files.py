"""The files of the page: few and small, so they are kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import attrs
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@attrs.frozen
class File:
    """One file as it is answered with."""

    content: bytes
    media_type: str
    tag: str
    """The same for the same content (RFC 9110 section 8.8.3)."""

    def answer(self, request: Request) -> Response:
        """The file, or that the browser has it already: browsers are to ask each time."""
        headers = {"etag": self.tag, "cache-control": "no-cache"}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def load(folder: Path = FOLDER) -> Mapping[str, File]:
    """All files of a folder by their names."""
    files = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        tag = f'"{sha256(content).hexdigest()[:32]}"'
        files[path.name] = File(content, _TYPES[path.suffix], tag)
    return files
