"""Debian's Caddy, started privately before a server: our example."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "caddy" / "Caddyfile"
CADDY = shutil.which("caddy")
needs_caddy = pytest.mark.skipif(CADDY is None, reason="needs caddy")
START_S = 20.0
_FROM_KEFU = "X-From-Kefu"


class Caddy:
    """A Caddy of its own; `with Caddy(folder, server.port) as caddy:`."""

    def __init__(self, folder: Path, upstream: int) -> None:
        """Pass on to a port of 127.0.0.1."""
        assert CADDY is not None, "tests that need it are skipped without it"
        self.folder = folder / "caddy"
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        text = shipped_for(self.folder, self.port, upstream)
        (self.folder / "Caddyfile").write_text(text)

    def __enter__(self) -> Self:
        with (self.folder / "error.log").open("wb") as log:
            self._process = subprocess.Popen(
                caddy_command("run", self.folder / "Caddyfile"),
                stderr=log,
                env=caddy_environment(self.folder),
            )
        for _ in range(int(START_S / 0.05)):
            if self._process.poll() is not None or self._is_ready():
                break
            select.select([], [], [], 0.05)
        assert self._is_ready(), (self.folder / "error.log").read_text()
        return self

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
        found = []
        for text in (self.folder / "access.log").read_text("utf-8").splitlines():
            line = json.loads(text)
            asked, status = line["request"], str(line["status"])
            is_passed_on = _FROM_KEFU in line["resp_headers"]
            first = f"{asked['method']} {asked['uri']} {asked['proto']}"
            found.append((status, status if is_passed_on else "-", first))
        return found


def caddy_command(verb: str, file: Path) -> list[str]:
    """Return what runs Caddy with a file."""
    return [str(CADDY), verb, "--config", str(file), "--adapter", "caddyfile"]


def caddy_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which it writes into one folder only."""
    return dict(os.environ) | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
    }


def shipped_for(folder: Path, port: int, upstream: int) -> str:
    """Return the example with nothing changed but addresses, for any name and no TLS.

    It also writes down requests and whose the answers are, and is steered by no port.
    """
    text = SHIPPED.read_text("utf-8")
    whose = f"header_down {_FROM_KEFU} yes"
    log = f"\tlog {{\n\t\toutput file {folder}/access.log\n\t}}\n"
    for old, new in (
        (r"^\{\n", "{\n\tadmin off\n"),
        (r"^chat\.example \{\n", f"http://:{port} {{\n\tbind 127.0.0.1\n{log}"),
        (
            r"reverse_proxy 127\.0\.0\.1:8080 \{\n",
            f"reverse_proxy 127.0.0.1:{upstream} {{\n\t\t{whose}\n",
        ),
    ):
        text, count = re.subn(old, new, text, flags=re.MULTILINE)
        assert count == 1, old
    return text
