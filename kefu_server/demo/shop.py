"""The sample shop: one page on a port of its own, so on another origin than kefu."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).parent / "shop.html"


@contextmanager
def serve_shop(listener: socket.socket, embed_line: str) -> Iterator[None]:
    """Answer every GET on `listener` with the shop's page while the block runs."""
    html = PAGE.read_text("utf-8").replace("{{embed_line}}", embed_line).encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            is_page = self.path.partition("?")[0] in {"/", "/index.html"}
            content = html if is_page else b"There is nothing here."
            self.send_response(200 if is_page else 404)
            kind = "text/html; charset=utf-8" if is_page else "text/plain"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the log belongs to kefu."""

    server = ThreadingHTTPServer(listener.getsockname(), Handler, False)
    server.socket.close()
    # A server that polls its socket must not find it in non-blocking mode.
    listener.setblocking(True)
    server.socket = listener
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)
