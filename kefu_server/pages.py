"""The HTML pages: the widget, what reports visits, the console, and the first one.

The first two stand in frames on a site's own pages. All are a few lines that load
modules; no script or style stands in the page, so the policy can forbid both. What a
page needs to know stands in `data-` attributes.
"""

import posixpath
import re
from html import escape

from starlette.responses import Response

from kefu_core.model import Site
from kefu_server.static import StaticFiles

_IMPORT = re.compile(
    r"""(?:^|[;}])\s*(?:import|export)\b[^;'"(]*?["'](\.[^"']+)["']""", re.MULTILINE
)


class Pages:
    """Builds pages whose modules all come from one version of the files."""

    def __init__(self, static: StaticFiles, origins: tuple[str, ...]) -> None:
        self.static = static
        # Older browsers do not count ws: as 'self'. The policy's grammar has no IPv6.
        sockets = [
            re.sub("^http", "ws", origin) for origin in origins if "[" not in origin
        ]
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src 'self' blob: data:; font-src 'self'; media-src 'self'; "
            f"connect-src 'self' {' '.join(sockets)}; "
            "manifest-src 'self'; base-uri 'none'; form-action 'self'; "
            "require-trusted-types-for 'script'"
        )
        self._heads = {
            name: self._head(name) for name in ("widget", "visit", "console", "setup")
        }

    def widget(self, site: Site) -> Response:
        """Return the page inside the frame: only the site's own pages may frame it."""
        return self._framed("widget", site)

    def visit(self, site: Site) -> Response:
        """Return the page that reports visits: nothing of it is seen."""
        return self._framed("visit", site)

    def _framed(self, name: str, site: Site) -> Response:
        data = {
            "site": site.embed_key,
            "site-name": site.name,
            "locale": site.locale,
            "origins": " ".join(site.allowed_origins),
        }
        ancestors = " ".join(site.allowed_origins) or "'none'"
        response = self._page(name, site.name, site.locale, data, ancestors)
        # A page that asks for isolation may still frame the widget.
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        return response

    def console(self) -> Response:
        """Return the agents' console; no page may frame it."""
        return self._page("console", "kefu", "zh-CN", {}, "'none'")

    def setup(self) -> Response:
        """Return the page that makes the first admin; no page may frame it."""
        return self._page("setup", "kefu", "zh-CN", {}, "'none'")

    def _page(
        self,
        name: str,
        title: str,
        locale: str,
        data: dict[str, str],
        ancestors: str,
    ) -> Response:
        attributes = "".join(
            f' data-{key}="{escape(value)}"' for key, value in data.items()
        )
        html = (
            f'<!doctype html>\n<html lang="{escape(locale)}">\n<head>\n'
            '<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1, '
            'viewport-fit=cover, interactive-widget=resizes-content">\n'
            f"<title>{escape(title)}</title>\n{self._heads[name]}"
            f'</head>\n<body{attributes}>\n<div id="app"></div>\n</body>\n</html>\n'
        )
        headers = {
            "content-security-policy": f"{self._policy}; frame-ancestors {ancestors}"
        }
        if ancestors == "'none'":
            headers["x-frame-options"] = "DENY"
        return Response(html, headers=headers, media_type="text/html")

    def _head(self, name: str) -> str:
        """Return the links of a page: styles, the modules it will need, the entry."""
        lines = ['<link rel="icon" href="data:,">']
        # What is never seen needs no looks.
        folders = () if name == "visit" else ("ui", name)
        styles = [
            style for folder in folders for style in self.static.names(folder, ".css")
        ]
        for style in styles:
            lines.append(f'<link rel="stylesheet" href="{self.static.url(style)}">')
        entry = f"{name}/main.js"
        for module in self._modules(entry):
            lines.append(f'<link rel="modulepreload" href="{self.static.url(module)}">')
        lines.append(f'<script type="module" src="{self.static.url(entry)}"></script>')
        return "\n".join(lines) + "\n"

    def _modules(self, entry: str) -> list[str]:
        """Return what a module imports, directly or not, in the order found."""
        found: dict[str, None] = {}
        waiting = [entry]
        while waiting:
            module = waiting.pop(0)
            for target in _IMPORT.findall(self.static.text(module)):
                path = posixpath.normpath(
                    posixpath.join(posixpath.dirname(module), target)
                )
                if path not in found and path != entry:
                    found[path] = None
                    waiting.append(path)
        return list(found)
