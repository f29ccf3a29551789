"""Posts reach whoever may be reached, and nothing inside this network."""

import ipaddress
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.tls import TLSListener

from kefu_core.abc.outgoing import NotSent
from kefu_core.senders import posting
from kefu_core.senders.addresses import may_reach
from kefu_core.senders.posting import HttpPoster
from tests.core.senders.receivers import Receiver, receiving

pytestmark = pytest.mark.anyio

LOOPBACK = HttpPoster(["127.0.0.0/8"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "no address",
    ],
)
def test_an_address_inside_a_network_is_not_reached(address: str) -> None:
    assert not may_reach(address, [])


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_a_public_address_is(address: str) -> None:
    assert may_reach(address, [])


def test_what_an_operator_allows_is_reached_and_nothing_beside_it() -> None:
    allowed = [ipaddress.ip_network("10.1.2.0/24")]
    assert may_reach("10.1.2.3", allowed)
    assert may_reach("::ffff:10.1.2.3", allowed)
    assert not may_reach("10.1.3.3", allowed)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://127.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "http:///",
        "http://[::1",
    ],
)
async def test_this_machine_is_never_told_unless_it_is_allowed(url: str) -> None:
    receiver = Receiver()
    async with receiving(receiver) as own:
        port = own.rpartition(":")[2].partition("/")[0]
        with pytest.raises(NotSent):
            await HttpPoster().post(url.format(port=port), b"{}", {})
    assert receiver.told == []


async def test_a_body_and_its_headers_arrive() -> None:
    receiver = Receiver()
    async with receiving(receiver) as url:
        assert await LOOPBACK.post(url, b'{"a":1}', {"kefu-event": "ping"}) == 200
    ((headers, body),) = receiver.told
    assert body == b'{"a":1}'
    assert headers["first"] == "POST /hook?a=b HTTP/1.1"
    assert headers["kefu-event"] == "ping"
    assert headers["host"] in url


async def test_a_redirect_is_not_followed() -> None:
    inside = Receiver()
    async with receiving(inside) as secret:
        receiver = Receiver(f"302 {secret}")
        async with receiving(receiver) as url:
            with pytest.raises(NotSent, match="nothing is followed") as raised:
                await LOOPBACK.post(url, b"{}", {})
    assert raised.value.status == 302
    assert len(receiver.told) == 1
    assert inside.told == []


@pytest.mark.parametrize("way", ["500", "404", "410", "301"])
async def test_a_refusal_has_its_status(way: str) -> None:
    async with receiving(Receiver(way)) as url:
        with pytest.raises(NotSent) as raised:
            await LOOPBACK.post(url, b"{}", {})
    assert raised.value.status == int(way)
    assert not raised.value.is_final


@pytest.mark.parametrize("way", ["stall", "hang up"])
async def test_a_silent_end_is_left_in_time(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.3)
    async with receiving(Receiver(way)) as url:
        with anyio.fail_after(5):
            with pytest.raises(NotSent):
                await LOOPBACK.post(url, b"{}", {})


async def test_an_answer_without_end_is_not_read_to_it() -> None:
    receiver = Receiver("endless")
    async with receiving(receiver) as url:
        with anyio.fail_after(5):
            assert await LOOPBACK.post(url, b"{}", {}) == 200


async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with receiving(Receiver()) as url:
        assert await LOOPBACK.post(url, b"{}", {}) == 200


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is missing, so TLS to webhooks was not tested")
    found, key = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    return found, key


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = _certificate(tmp_path, "hook.example")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)

    async def here(host: str, port: object, **more: object) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(anyio, "getaddrinfo", here)
    receiver = Receiver()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    secure = TLSListener(listener, served, standard_compatible=False)
    async with secure, anyio.create_task_group() as tasks:
        tasks.start_soon(secure.serve, receiver.serve)
        monkeypatch.setattr(LOOPBACK._outbound, "_ssl", trusting)
        assert await LOOPBACK.post(f"https://hook.example:{port}/", b"{}", {}) == 200
        with pytest.raises(NotSent, match=r"(?i)certificate"):
            await LOOPBACK.post(f"https://other.example:{port}/", b"{}", {})
        tasks.cancel_scope.cancel()
    ((headers, _),) = receiver.told
    assert headers["host"] == f"hook.example:{port}"
