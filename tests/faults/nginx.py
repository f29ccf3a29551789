"""Debian's nginx, started privately before a server: our example, or a hostile one."""

import re
import select
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Literal, Self

import pytest

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "nginx" / "kefu.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx")

Style = Literal["shipped", "defaults", "no upgrades"]
START_S = 10.0

AROUND = """\
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format requests '$status $upstream_status "$request"';
    access_log {folder}/access.log requests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {site};
}}
"""
_DEFAULTS = """\
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
    }}
}}
"""
"""What somebody writes who has read nothing: HTTP/1.0, no upgrades, buffers."""
_NO_UPGRADES = """\
server {{
    listen 127.0.0.1:{port};
    if ($http_upgrade) {{
        return 403;
    }}
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }}
}}
"""


class Nginx:
    """An nginx of its own; `with Nginx(folder, server.port) as nginx:`."""

    def __init__(self, folder: Path, upstream: int, style: Style = "shipped") -> None:
        """Pass on to a port of 127.0.0.1."""
        assert NGINX is not None, "tests that need it are skipped without it"
        self.folder = folder / f"nginx-{style.replace(' ', '-')}"
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if style == "shipped":
            text = shipped_for(self.port, upstream)
        else:
            form = _DEFAULTS if style == "defaults" else _NO_UPGRADES
            text = form.format(port=self.port, upstream=upstream)
        (self.folder / "kefu.conf").write_text(text)
        (self.folder / "nginx.conf").write_text(
            AROUND.format(folder=self.folder, site=f"{self.folder}/kefu.conf")
        )

    def __enter__(self) -> Self:
        self._start()
        return self

    def reload(self) -> None:
        """Read the configuration again: old workers leave when they are done."""
        self._process.send_signal(signal.SIGHUP)

    def restart(self) -> None:
        """End it at once, with all its connections, and start it again."""
        self._process.terminate()
        self._process.communicate(timeout=10)
        self._start()

    def _start(self) -> None:
        folder = str(self.folder)
        command = [str(NGINX), "-p", folder, "-c", f"{folder}/nginx.conf"]
        command += ["-e", f"{folder}/error.log"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        for _ in range(int(START_S / 0.05)):
            if self._process.poll() is not None or self._is_ready():
                break
            select.select([], [], [], 0.05)
        assert self._is_ready(), (self.folder / "error.log").read_text()

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def requests(self) -> list[tuple[str, str, str]]:
        """Return what it has answered: status, the server's own or "-", first line."""
        text = (self.folder / "access.log").read_text("utf-8", "replace")
        return re.findall(r'^(\d+) (\S+) "(.*)"$', text, re.MULTILINE)


def shipped_for(port: int, upstream: int) -> str:
    """Return the example with nothing changed but addresses and, for a test, TLS."""
    text = SHIPPED.read_text("utf-8")
    for old, new in (
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{upstream};"),
        ("ssl_certificate     /etc/ssl/kefu/chain.pem;", ""),
        ("ssl_certificate_key /etc/ssl/kefu/key.pem;", ""),
        ("ssl_protocols TLSv1.2 TLSv1.3;", ""),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
