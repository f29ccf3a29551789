"""How people get in: visitors' tokens and agents' logins, as browsers ask for them."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
import anyio.to_thread

from benchmarks.ports import HOST

T = TypeVar("T")
TRY_S = 60.0
AGAIN_S = 1.0
TIMEOUT_S = 15.0
COOKIES = ("kefu_session", "__Host-kefu_session")


class DoorError(Exception):
    """The server did not let somebody in who may come in."""


class Door:
    """The HTTP side of one server. A refusal is tried again for a minute."""

    def __init__(self, port: int, site: str, password: str) -> None:
        """Take the server's port, a site's embed key, and every agent's password."""
        self._port = port
        self._site = site
        self._password = password
        self.refused = 0
        """How often something had to be asked again."""

    async def visitor_token(self, address: str) -> str:
        """Return a new visitor's token."""
        body = {"site": self._site, "token": None}

        def ask() -> str:
            text, _ = self._post(address, "/api/visitor/token", body)
            return str(json.loads(text)["token"])

        return await self._persist(ask)

    async def log_in(self, login: str, address: str) -> str:
        """Log an agent in; return what the cookie holds."""
        body = {"login": login, "password": self._password}

        def ask() -> str:
            _, cookies = self._post(address, "/api/agent/login", body)
            for cookie in cookies:
                name, _, value = cookie.partition(";")[0].partition("=")
                if name in COOKIES:
                    return value
            raise DoorError("The login was answered without a session cookie.")

        return await self._persist(ask)

    async def log_out(self, secret: str, address: str) -> None:
        """End a login, and every connection that stands on it."""
        cookie = f"{COOKIES[0]}={secret}"
        await self._persist(
            lambda: self._post(address, "/api/agent/logout", {}, Cookie=cookie)
        )

    async def _persist(self, ask: Callable[[], T]) -> T:
        give_up_at = time.monotonic() + TRY_S
        while True:
            try:
                return await anyio.to_thread.run_sync(ask)
            except (OSError, http.client.HTTPException, DoorError) as error:
                self.refused += 1
                if time.monotonic() > give_up_at:
                    raise DoorError(f"Nobody was let in: {error}") from error
            await anyio.sleep(AGAIN_S)

    def _post(
        self, address: str, path: str, body: Mapping[str, object], **headers: str
    ) -> tuple[bytes, list[str]]:
        near = http.client.HTTPConnection(
            HOST, self._port, timeout=TIMEOUT_S, source_address=(address, 0)
        )
        headers |= {
            "Content-Type": "application/json",
            "Origin": f"http://{HOST}:{self._port}",
        }
        with contextlib.closing(near):
            near.request("POST", path, json.dumps(body), headers)
            answer = near.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise DoorError(f"{path} was answered {answer.status}: {text[:200]!r}")
            return text, answer.headers.get_all("Set-Cookie", [])
