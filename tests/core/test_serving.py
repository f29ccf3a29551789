"""Whom a line of the log is about: the connection that is served, whoever serves it."""

import logging
from collections.abc import Iterator

import pytest

from kefu_core import serving
from kefu_core.protocol import frames as f
from tests.core.hub.world import world
from tests.core.transports.polling import poll_world

pytestmark = pytest.mark.anyio


class Heard(logging.Handler):
    """Notes each line with the ids of the moment."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[str, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        ids = (serving.request.get(), serving.connection.get())
        self.lines.append((record.getMessage(), *ids))


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger, handler = logging.getLogger("kefu_core"), Heard()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


async def test_each_line_names_the_connection_that_it_is_about(heard: Heard) -> None:
    async with world() as w:
        conversation = await w.conversation()
        for who in ("v1", "a7"):
            peer = await w.follower(who, conversation)
            await peer.say(f.Bye())
            await peer.until_closed()
    told = {text: number for text, _, number in heard.lines}
    assert (told["authenticated as v1"], told["authenticated as a7"]) == ("1", "2")
    ends = [n for text, _, n in heard.lines if text.startswith("disconnected")]
    assert sorted(ends) == ["1", "2"]
    assert serving.connection.get() == ""


async def test_a_poll_session_is_one_connection_whose_requests_say_their_own_id(
    heard: Heard,
) -> None:
    async with poll_world() as polling:
        serving.request.set("r1")
        poller = await polling.follower()
        serving.request.set("r2")
        refused = await poller.up(7, f.Ping(), ack=2)
        assert refused.status == 409
        await poller.up(1 + 1, f.Bye(), ack=2)
    serving.request.set("")
    told = {text.partition(" ")[0]: (request, n) for text, request, n in heard.lines}
    assert told["authenticated"] == told["disconnected"] == ("", "1")
    assert told["a"] == ("r2", "1"), "a request was refused"
