"""Every error and close code that a peer can earn, on every transport."""

from collections.abc import Awaitable, Callable

import anyio
import msgspec
import pytest

from kefu_core.errors import CloseCode, ConnectionClosed, ErrorCode
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.testing.serving import LIMITS, Kit, Peer, Served
from kefu_core.testing.talking import send
from kefu_core.types import ConversationId, Seq, UnixMs


class Nonsense(f.Frame, tag="nonsense", frozen=True, kw_only=True):
    """A frame of a protocol that nobody speaks."""


class Scene:
    """A welcomed visitor who does something wrong."""

    def __init__(self, node: Served, peer: Peer, conversation: ConversationId) -> None:
        """Take a peer that was welcomed as v1 and follows its conversation."""
        self.node = node
        self.peer = peer
        self.conversation = conversation

    def send(self, n: int, body: str = "", key: str = "") -> f.Send:
        """Return the n-th send."""
        one = send(self.conversation, n, body)
        return msgspec.structs.replace(one, key=key) if key else one


Act = Callable[[Scene], Awaitable[None]]


async def _conflict(scene: Scene) -> None:
    await scene.peer.say(scene.send(1, "one", "k"), scene.send(2, "two", "k"))


async def _rate_limited(scene: Scene) -> None:
    await scene.peer.say(*(f.Call(id=f"{n}", method="echo") for n in range(100)))


async def _busy(scene: Scene) -> None:
    await scene.peer.say(*(scene.send(n) for n in range(1, 6)))


def _call(method: str) -> Act:
    return lambda scene: scene.peer.say(f.Call(id="1", method=method))


ERRORS: dict[ErrorCode, Act] = {
    ErrorCode.BAD_REQUEST: lambda s: s.peer.say(s.send(0)),
    ErrorCode.UNKNOWN_FRAME: lambda s: s.peer.say(Nonsense()),
    ErrorCode.FORBIDDEN: _call("forbidden"),
    ErrorCode.BANNED: _call("banned"),
    ErrorCode.NOT_FOUND: lambda s: s.peer.say(
        f.Follow(conversation=ConversationId(999))
    ),
    ErrorCode.CONFLICT: _conflict,
    ErrorCode.ACK_AHEAD: lambda s: s.peer.say(
        f.Ack(conversation=s.conversation, seq=Seq(99))
    ),
    ErrorCode.OUT_OF_ORDER: lambda s: s.peer.say(s.send(5)),
    ErrorCode.RATE_LIMITED: _rate_limited,
    ErrorCode.BUSY: _busy,
    ErrorCode.UNAVAILABLE: _call("unavailable"),
    ErrorCode.STORAGE_FULL: _call("storage_full"),
    ErrorCode.DAMAGED: _call("damaged"),
    ErrorCode.INTERNAL: _call("crash"),
}
"""What earns each code on a live session; `unauthorized` and `too_large` end it on
some transports and have tests of their own."""

_TIGHT = msgspec.structs.replace(
    LIMITS, frames_per_s=20.0, frames_burst=50, unacknowledged_sends_max=2
)
_LIMITS_FOR = {ErrorCode.RATE_LIMITED: _TIGHT, ErrorCode.BUSY: _TIGHT}


async def _follower(kit: Kit, node: Served, conversation: ConversationId) -> Peer:
    peer = await node.dial(kit.transport)
    await peer.say(f.Hello(token="v1"))
    await peer.expect(f.Welcome)
    await peer.say(f.Follow(conversation=conversation))
    await peer.expect(f.Head)
    return peer


async def _flood(peer: Peer) -> None:
    try:
        for _ in range(4):
            await peer.say(*(f.Call(id=f"{n}", method="echo") for n in range(100)))
    except ConnectionClosed:
        return  # Closed before all was said.


class RefusalContract:
    """The part of `TransportContract` about refusals."""

    @pytest.mark.parametrize("code", list(ERRORS))
    async def test_an_error_is_told_and_the_session_goes_on(
        self, kit: Kit, code: ErrorCode
    ) -> None:
        limits = _LIMITS_FOR.get(code, LIMITS)
        async with kit.node(limits) as node:
            conversation = await node.conversation()
            peer = await _follower(kit, node, conversation)
            await ERRORS[code](Scene(node, peer, conversation))
            error = await peer.expect(f.ErrorFrame, code=code)
            assert node.hub.counts.errors[kit.transport.name, code]
            assert error.text
            assert "fault of the application" not in error.text
            await peer.say(f.Ping())
            await peer.expect(f.Pong)
            await peer.stream.aclose()

    @pytest.mark.parametrize("token", ["", "crash"])
    async def test_a_hello_that_fails_is_told_why_before_the_close(
        self, kit: Kit, token: str
    ) -> None:
        async with kit.node() as node:
            peer = await node.dial(kit.transport)
            await peer.say(f.Hello(token=token))
            expected = ("internal", CloseCode.OVERLOADED)
            if not token:
                expected = ("unauthorized", CloseCode.UNAUTHORIZED)
            assert (await peer.expect(f.ErrorFrame)).code == expected[0]
            assert (await peer.until_closed())[0] == expected[1]
            await peer.stream.aclose()
            await node.until_empty()
            counts, name = node.hub.counts, kit.transport.name
            assert counts.errors == {(name, expected[0]): 1}
            assert counts.closes == {(name, str(int(expected[1]))): 1}

    @pytest.mark.parametrize(
        "code",
        [
            CloseCode.NORMAL,
            CloseCode.UNAUTHORIZED,
            CloseCode.VERSION,
            CloseCode.OVERLOADED,
            CloseCode.RESTART,
            CloseCode.TOKEN_EXPIRED,
        ],
    )
    async def test_a_close_code_says_why(self, kit: Kit, code: CloseCode) -> None:
        limits = _CLOSE_LIMITS.get(code, LIMITS)
        async with kit.node(limits) as node, anyio.create_task_group() as tasks:
            if code is CloseCode.TOKEN_EXPIRED:
                node.handler.expires_at_ms = UnixMs(node.hub.now_ms() + 300)
            peer = await node.dial(kit.transport)
            version = 99 if code is CloseCode.VERSION else f.PROTOCOL_VERSION
            # The session is an agent's: logins of visitors cannot be revoked.
            await peer.say(f.Hello(token="a1", v=version))
            if code is not CloseCode.VERSION:
                await peer.expect(f.Welcome)
            if code is CloseCode.NORMAL:
                await peer.say(f.Bye())
            elif code is CloseCode.UNAUTHORIZED:
                node.handler.revoked.add("a1")
            elif code is CloseCode.OVERLOADED:
                await _flood(peer)
            elif code is CloseCode.RESTART:
                tasks.start_soon(node.hub.drain)
            assert (await peer.until_closed())[0] == code
            await peer.stream.aclose()
            await node.until_empty()
            counted = {(kit.transport.name, str(int(code))): 1}
            assert node.hub.counts.closes == counted


_CLOSE_LIMITS: dict[CloseCode, Limits] = {
    CloseCode.OVERLOADED: msgspec.structs.replace(
        LIMITS, frames_per_s=1.0, frames_burst=10, flood_factor=10.0, flood_s=5.0
    ),
    CloseCode.UNAUTHORIZED: msgspec.structs.replace(LIMITS, revocation_check_s=0.05),
}
