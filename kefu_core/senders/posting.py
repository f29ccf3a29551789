"""Posts to URLs that people have chosen. Needs `httpx`."""

import ipaddress
import socket
from collections.abc import Mapping, Sequence

import anyio
import httpx

from kefu_core.abc.outgoing import NotSent, Poster
from kefu_core.senders.addresses import may_reach

TIMEOUT_S = 10.0
"""One request in all: name, connection, answer."""


class HttpPoster(Poster):
    """Opens a connection for each request, to an address that was checked."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        """Take networks that may be reached although they are not public."""
        self._ssl = httpx.create_ssl_context(trust_env=False)
        self._allowed = [ipaddress.ip_network(each, strict=False) for each in allow]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            with anyio.fail_after(TIMEOUT_S):
                status = await self._post(url, body, headers)
        except TimeoutError as error:
            raise NotSent(f"There was no answer within {TIMEOUT_S:.0f} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise NotSent(f"It cannot be reached: {_reason(error)}") from error
        if 300 <= status < 400:
            raise NotSent(f"It answered {status}; nothing is followed.", status=status)
        if not 200 <= status < 300:
            raise NotSent(f"It answered {status}.", status=status)
        return status

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        target = httpx.URL(url)
        if target.scheme not in {"http", "https"} or not target.host:
            raise NotSent("Only http and https can be told.", is_final=True)
        host = target.raw_host.decode("ascii").strip("[]")
        port = target.port or (443 if target.scheme == "https" else 80)
        address = await self._resolve(host, port)
        # The certificate is checked against the name, the connection goes to what was
        # checked: a name that points elsewhere a moment later changes nothing.
        request_headers = {**headers, "host": target.netloc.decode("ascii")}
        async with (
            httpx.AsyncClient(
                verify=self._ssl,
                trust_env=False,
                follow_redirects=False,
                timeout=TIMEOUT_S,
            ) as client,
            client.stream(
                "POST",
                target.copy_with(host=address),
                content=body,
                headers={"user-agent": "kefu-webhook/1", **request_headers},
                extensions={"sni_hostname": host},
            ) as response,
        ):
            # Only the status counts: of the answer itself nothing is read.
            return response.status_code

    async def _resolve(self, host: str, port: int) -> str:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        for address in addresses:
            if not may_reach(address, self._allowed):
                raise NotSent(
                    f"{host} leads to {address}, which is no public address; "
                    "the setting webhooks.allow can allow it.",
                    is_final=True,
                )
        return addresses[0]


def _reason(error: BaseException) -> str:
    """Return the first words that anybody has said about a failure."""
    cause: BaseException | None = error
    while cause is not None:
        if str(cause):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
