"""What leaves the server: every field of every frame is on a list, secrets never."""

from typing import Any

import msgspec
import pytest

from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, Codec
from kefu_core.protocol.codec import server_frame_decoder as decoder_of
from kefu_core.types import ConversationId, Seq
from tests.core.desk.world import Wire, World, world

pytestmark = pytest.mark.anyio

MESSAGE = {"seq", "sender", "kind", "at", "body", "data", "ref", "key"}
OWN_ROW = {
    "id",
    "status",
    "assignee",
    "last_seq",
    "last_at",
    "last_sender",
    "last_line",
    "opened_at",
}
PERSON = {"id", "name", "role"}
LIMITS = {
    "frame_bytes",
    "batch_frames",
    "text_chars",
    "key_chars",
    "unacknowledged_sends",
    "page_messages",
    "cursors",
    "frames_per_s",
}
VISITOR_MAY_SEE: dict[str, set[str]] = {
    "welcome": {
        "session",
        "epoch",
        "resumed",
        "heartbeat_s",
        "limits",
        "me",
        "heads",
        "at",
    },
    "auth_ok": {"expires_at"},
    "sent": {"key", "conversation", "seq", "at", "duplicate"},
    "message": MESSAGE | {"conversation"},
    "head": {"conversation", "last_seq"},
    "page": {"id", "conversation", "messages", "more", "head"},
    "reply": {"id", "result"},
    "receipt": {"conversation", "who", "delivered", "read"},
    "typing_event": {"conversation", "who", "is_typing"},
    "error": {
        "code",
        "text",
        "retry",
        "after_s",
        "key",
        "id",
        "frame",
        "conversation",
    },
    "ping": set(),
    "pong": set(),
    "drain": {"within_s"},
    "closed": {"code", "reason"},
}
"""Fields of the frames that a visitor receives; `text` of typing is not among them."""

INSIDE: dict[tuple[str, str], set[str]] = {
    ("welcome", "me"): PERSON,
    ("welcome", "limits"): LIMITS,
    ("page", "messages"): MESSAGE,
    ("conversation.open", "conversation"): OWN_ROW,
    ("people.get", "people"): PERSON,
}


class Recorder:
    """Stands before a decoder and keeps the bytes as they came over the wire."""

    def __init__(self, codec: Codec, world: World) -> None:
        self.codec = codec
        self.bytes: list[bytes] = []
        self._decoder = decoder_of(codec, world.limits)

    def decode(self, data: bytes) -> Any:
        self.bytes.append(data)
        return self._decoder.decode(data)

    def frames(self) -> list[dict[str, Any]]:
        """Return every frame with all its fields, known to a client or not."""
        if self.codec is MSGPACK:
            return [x for data in self.bytes for x in msgspec.msgpack.decode(data)]
        return [
            msgspec.json.decode(line)
            for data in self.bytes
            for line in data.split(b"\n")
        ]


async def recorded(w: World, who: str, codec: Codec) -> tuple[Wire, Recorder]:
    """Return a live connection of which every byte is kept."""
    stream = w.stream(codec)
    recorder = Recorder(codec, w)
    stream._decoder = recorder  # type: ignore[assignment]
    wire = Wire(stream)
    await wire.send(f.Hello(token=who, client="test"))
    await wire.until(f.Welcome)
    return wire, recorder


async def everything_happens(w: World, wire: Wire, who: str) -> ConversationId:
    """Let a visitor and an agent do all there is, and fail at some of it."""
    mine, other = await w.conversation("v1"), await w.conversation("v2")
    await w.say(other, "v2", "canary-other-text")
    await w.say(mine, "v1", "question")
    await w.say(mine, "a1", "canary-note", MessageKind.NOTE)
    agent = await w.live("a1")
    await agent.answers(f.Follow(conversation=mine))
    await wire.answers(f.Follow(conversation=mine))
    await agent.send(f.Typing(conversation=mine, text="canary-unsent"))
    await agent.answers(
        f.Send(key="canary-key", conversation=mine, n=1, body="answer"),
        f.Call(id="t", method="conversation.take", params={"conversation": mine}),
        f.Call(id="c", method="conversation.close", params={"conversation": mine}),
    )
    while not any(getattr(x, "seq", 0) == 5 for x in agent.seen):
        await agent.until(f.MessageFrame)
    await agent.send(f.Read(conversation=mine, seq=Seq(5)))
    await wire.answers(
        f.Send(key="k", conversation=mine, n=1, body="thanks"),
        f.Send(key="k", conversation=mine, n=1, body="thanks"),
        f.Send(key="k2", conversation=mine, n=2, body=""),
        f.Send(key="k3", conversation=mine, n=3, kind=MessageKind.NOTE, body="x"),
        f.Fetch(id="1", conversation=mine),
        f.Fetch(id="2", conversation=other),
        f.Follow(conversation=other),
        f.Call(id="o", method="conversation.open"),
        f.Call(id="p", method="people.get", params={"ids": ["a1", "a2", "v1", "v2"]}),
        f.Call(id="l", method="conversations.list"),
        f.Watch(topic="conversations"),
        f.Auth(token=who),
        f.Auth(token="a1"),
        f.Ping(),
    )
    while not any(isinstance(x, f.Receipt) and x.read == 5 for x in wire.seen):
        await wire.until(f.Receipt)
    await w.say(mine, "a1", "canary-note again", MessageKind.NOTE)
    await w.say(mine, "a1", "the end")
    while not any(getattr(x, "body", "") == "the end" for x in wire.seen):
        await wire.until(f.MessageFrame)
    w.hub.drop_session("session-canary-v1")
    await wire.all_until_closed()
    return mine


def _check_fields(frames: list[dict[str, Any]]) -> None:
    for frame in frames:
        tag = frame.pop("t")
        assert set(frame) <= VISITOR_MAY_SEE[tag], tag
        calls = {"o": "conversation.open", "p": "people.get"}
        inner = frame.pop("result", frame)
        what = calls[frame["id"]] if tag == "reply" else tag
        for name, value in inner.items():
            if isinstance(value, dict | list) and (what, name) != ("welcome", "heads"):
                if (what, name) == ("message", "data"):
                    continue
                for item in value if isinstance(value, list) else [value]:
                    assert set(item) <= INSIDE[what, name], (what, name)


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda codec: codec.name)
async def test_a_visitor_receives_listed_fields_and_no_secret(codec: Codec) -> None:
    async with world() as w:
        wire, recorder = await recorded(w, "v1", codec)
        await everything_happens(w, wire, "v1")
        assert b"canary" not in b"".join(recorder.bytes)
        frames = recorder.frames()
        # The test means something only if the frames were there to be looked at.
        seen = {frame["t"] for frame in frames}
        assert seen >= set(VISITOR_MAY_SEE) - {"drain", "ping"}
        _check_fields(frames)


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda codec: codec.name)
async def test_an_agent_receives_no_credentials(codec: Codec) -> None:
    async with world() as w:
        conversation = await w.conversation("v1")
        await w.say(conversation, "v1", "question")
        wire, recorder = await recorded(w, "a1", codec)
        await wire.answers(
            f.Watch(topic="conversations"),
            f.Follow(conversation=conversation),
            f.Fetch(id="1", conversation=conversation),
            f.Call(id="l", method="conversations.list"),
            f.Call(id="p", method="people.get", params={"ids": ["a1", "a2", "v1"]}),
            f.Auth(token="a1"),
            f.Auth(token="v1"),
        )
        assert any(isinstance(x, f.Snapshot) for x in wire.seen)
        sent = b"".join(recorder.bytes)
        for secret in (b"canary-hash", b"canary-login", b"canary-embed", b"session-"):
            assert secret not in sent


async def test_a_fault_of_ours_tells_a_peer_nothing_about_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:

        async def broken(*args: object) -> object:
            raise RuntimeError("canary in a traceback")

        wire, recorder = await recorded(w, "v1", JSON)
        w.store.find_conversation = broken  # type: ignore[method-assign, assignment]
        answers = await wire.answers(f.Fetch(id="1", conversation=ConversationId(7)))
        assert [x.code for x in answers] == ["internal"]
        assert b"canary" not in b"".join(recorder.bytes)
        assert "canary in a traceback" in caplog.text
