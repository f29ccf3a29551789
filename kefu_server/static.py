"""The browser's files: read once, squeezed and compressed once, named by their content.

One hash over all of `web/` stands in the path, so that relative imports inherit it, a
browser may keep every file for ever, and a page never mixes two versions.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from pathlib import Path

import rcssmin
import rjsmin
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.errors import NotFound

_SERVED = {".js", ".css", ".svg", ".png", ".ico", ".woff2", ".json", ".webmanifest"}
_SQUEEZE: dict[str, Callable[[bytes], bytes]] = {
    ".js": rjsmin.jsmin,
    ".css": rcssmin.cssmin,
}
_COMPRESSED = {".js", ".css", ".svg", ".json", ".webmanifest"}
LOADER = "widget.js"
LOADER_PARTS = ("visit.js", "loader.js")
"""What other sites' pages fetch, as one file: a second one would be a second request,
and pages that trust no script of scripts would not load it."""
_IMMUTABLE = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=300"


class _Asset:
    __slots__ = ("content", "etag", "media_type", "zipped")

    def __init__(self, path: Path, content: bytes) -> None:
        self.content = content
        guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        # Some systems still say application/javascript; browsers want one of these.
        self.media_type = "text/javascript" if path.suffix == ".js" else guessed
        self.etag = f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'
        is_text = path.suffix in _COMPRESSED
        # A fixed time in the header makes every start give the same bytes.
        self.zipped = gzip.compress(self.content, 9, mtime=0) if is_text else None


def squeezed(path: Path) -> bytes:
    """Return a file without what only its authors read: comments and white space.

    Half of a module is comments, most of them types, and all of it is there to read in
    the repository. Nothing is renamed: a debugger shows the same code.
    """
    content = path.read_bytes()
    squeeze = _SQUEEZE.get(path.suffix)
    return content if squeeze is None else squeeze(content)


class StaticFiles:
    """All files of one folder, held in memory."""

    def __init__(self, folder: Path) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _Asset(path, squeezed(path))
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _SERVED
        }
        parts = [folder / name for name in LOADER_PARTS]
        self._assets[LOADER] = _Asset(parts[0], b"\n".join(map(squeezed, parts)))
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name}\0{len(asset.content)}\0".encode())
            digest.update(asset.content)
        self.version = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Return the path under which a file is served."""
        return f"/static/{self.version}/{name}"

    def names(self, folder: str, suffix: str) -> list[str]:
        """Return the files below a folder, sorted."""
        return [
            name
            for name in self._assets
            if name.startswith(f"{folder}/") and name.endswith(suffix)
        ]

    def text(self, name: str) -> str:
        """Return a file's text, empty when there is none."""
        asset = self._assets.get(name)
        return "" if asset is None else asset.content.decode("utf-8")

    async def serve(self, request: Request) -> Response:
        """Answer `/static/{version}/{name}`."""
        if request.path_params["version"] != self.version:
            # Another version's file would mix two versions in one page.
            raise NotFound
        return self._respond(request, request.path_params["name"], _IMMUTABLE)

    async def serve_loader(self, request: Request) -> Response:
        """Answer `/widget.js`, which other sites' pages name without a version."""
        return self._respond(request, LOADER, _SHORT)

    def _respond(self, request: Request, name: str, caching: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound
        headers = {
            "cache-control": caching,
            "etag": asset.etag,
            "vary": "accept-encoding",
            # Public files: the loader runs on other sites' pages.
            "cross-origin-resource-policy": "cross-origin",
        }
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        content = asset.content
        if asset.zipped is not None and _takes_gzip(request):
            content = asset.zipped
            headers["content-encoding"] = "gzip"
        return Response(content, headers=headers, media_type=asset.media_type)


def _takes_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, parameters = part.strip().partition(";")
        if name.strip().lower() == "gzip":
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.000"}
    return False
