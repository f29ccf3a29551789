"""Every request has an id, in its lines of the log and in its answer."""

import logging

import httpx
import pytest
from msgspec.structs import replace

from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp, create_app
from kefu_server.logs import LineFormatter
from kefu_server.settings import Settings
from tests.server.conftest import ORIGIN, log_in

pytestmark = pytest.mark.anyio

PROXY = "10.0.0.2"


class Lines(logging.Handler):
    """Keeps lines as they are written: the ids are of the moment."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(LineFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def _ask(app: KefuApp, peer: str, *ids: str) -> tuple[str, list[str]]:
    """Log in in vain from a peer that gives ids; return the answer's, and the log."""
    logger, lines = logging.getLogger("kefu"), Lines()
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    transport = httpx.ASGITransport(app, client=(peer, 1))
    headers = [("origin", ORIGIN), *(("x-request-id", each) for each in ids)]
    try:
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            body = {"login": "nobody", "password": "wrong"}
            answer = await client.post("/api/agent/login", json=body, headers=headers)
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)
    assert answer.status_code == 401
    (told,) = answer.headers.get_list("x-request-id")
    return told, lines.lines


@pytest.mark.parametrize(
    ("peer", "ids", "is_taken"),
    [
        (PROXY, ["ab-12.C_d"], True),
        ("192.0.2.7", ["ab-12.C_d"], False),
        (PROXY, [""], False),
        (PROXY, ["a" * 65], False),
        (PROXY, ['a" level=x'], False),
        (PROXY, ["a b"], False),
        (PROXY, ["one", "two"], False),
    ],
)
async def test_only_a_named_proxy_gives_ids_and_only_such_as_will_do(
    settings: Settings, store: MemoryStore, peer: str, ids: list[str], is_taken: bool
) -> None:
    app = create_app(replace(settings, trusted_proxies=(PROXY,)), store=store)
    async with app.router.lifespan_context(app):
        told, lines = await _ask(app, peer, *ids)
        another, _ = await _ask(app, peer)
    assert (told in ids) is is_taken
    assert another not in {told, *ids}, "no two requests have one id"
    about = [line for line in lines if "login_refused" in line or "path=/api" in line]
    assert len(about) == 2, lines
    assert all(line.endswith(f" request={told}") for line in about), about


async def test_what_is_done_beside_requests_has_no_id(app: KefuApp) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=ORIGIN
    ) as client:
        client.headers["origin"] = ORIGIN
        await log_in(client)
    record = logging.LogRecord("kefu", logging.INFO, "", 0, "later", None, None)
    assert LineFormatter().format(record).endswith(" INFO kefu later")
