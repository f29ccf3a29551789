"""The TCP listener of the real server: plain on loopback, TLS for everybody else."""

import re
import shutil
import ssl
import subprocess
from pathlib import Path

import anyio
import httpx
import pytest

from kefu_core.client import Client
from kefu_core.errors import ConfigurationError
from kefu_server.sections import TcpSettings
from kefu_server.settings import load_settings
from kefu_server.tcp import load_certificate
from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu


def login_of(server: ServerProcess) -> str:
    """Return the token of a new login."""
    body = {"login": LOGIN, "password": PASSWORD}
    headers = {"origin": server.url}
    answer = httpx.post(f"{server.url}/api/agent/login", json=body, headers=headers)
    return answer.cookies["kefu_session"]


async def who(url: str, token: str, trust: ssl.SSLContext | None) -> str:
    """Return whom the server takes a client for."""
    async with Client(url, token=token, ssl_context=trust) as client:
        with anyio.fail_after(10):
            await client.wait_live()
            return client.me


def tcp_url(server: ServerProcess) -> str:
    found = re.search(r"tcp=(\S+)", server.log)
    assert found, server.log
    return found[1]


def test_an_agent_speaks_over_plain_tcp_on_loopback(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, KEFU_TCP_BIND="127.0.0.1:0") as server:
        assert tcp_url(server).startswith("tcp://127.0.0.1:")
        token = login_of(server)
        assert anyio.run(who, tcp_url(server), token, None).startswith("a")
        assert server.stop() == 0


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is missing, so TLS over TCP was not tested")
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return paths


def test_an_agent_speaks_over_tls(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    public, key = certificate
    with ServerProcess(
        tmp_path,
        KEFU_TCP_BIND="127.0.0.1:0",
        KEFU_TCP_CERTIFICATE=str(public),
        KEFU_TCP_KEY=str(key),
    ) as server:
        url, token = tcp_url(server), login_of(server)
        assert url.startswith("tcps://")
        trust = ssl.create_default_context(cafile=str(public))
        assert anyio.run(who, url, token, trust).startswith("a")
        assert not anyio.run(is_let_in, url, token)
        assert server.stop() == 0


async def is_let_in(url: str, token: str) -> bool:
    """Whether a client connects that does not trust the certificate."""
    async with Client(url, token=token) as client:
        with anyio.move_on_after(1.5):
            await client.wait_live()
        return client.is_live


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"BIND": "7440"}, ["tcp.bind = '7440'", "127.0.0.1:7440"]),
        ({"BIND": "0.0.0.0:7440"}, ["tcp.bind", "tcp.certificate and tcp.key"]),
        ({"CERTIFICATE": "c.pem"}, ["tcp.key", "TLS needs both"]),
        ({"KEY": "k.pem"}, ["tcp.certificate", "TLS needs both"]),
    ],
)
def test_a_wrong_setting_says_what_to_write(
    values: dict[str, str], words: list[str]
) -> None:
    environ = {f"KEFU_TCP_{name}": value for name, value in values.items()}
    with pytest.raises(ConfigurationError) as error:
        load_settings(environ=environ)
    for word in words:
        assert word in str(error.value)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "c.pem"
    rubbish.write_text("no certificate")
    for path in (rubbish, tmp_path / "none.pem"):
        settings = TcpSettings(certificate=str(path), key=str(path))
        with pytest.raises(ConfigurationError, match=re.escape(str(path))):
            load_certificate(settings)
    assert load_certificate(TcpSettings()) is None


def test_an_address_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with ServerProcess(tmp_path, KEFU_TCP_BIND="127.0.0.1:0") as server:
        taken = tcp_url(server).removeprefix("tcp://")
        stopped = kefu(other, "serve", KEFU_TCP_BIND=taken)
    assert stopped.returncode != 0
    assert f"tcp.bind = '{taken}'" in stopped.stderr
    assert "KEFU_TCP_BIND" in stopped.stderr
    assert "Traceback" not in stopped.stderr
