"""One plain example of every frame, and what the tests of this folder share."""

from typing import Any, get_args

from kefu_core.limits import SharedLimits
from kefu_core.model import MessageKind, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

C = ConversationId(7)
D = ConversationId(8)
ME = Person(id=ParticipantId("v1"), name="Ann", role=Role.VISITOR)
SHARED = SharedLimits(
    frame_bytes=65_536,
    batch_frames=128,
    text_chars=5_000,
    key_chars=64,
    unacknowledged_sends=64,
    page_messages=100,
    cursors=500,
    frames_per_s=20.0,
)


def send(n: int, key: str = "", conversation: ConversationId = C) -> f.Send:
    return f.Send(key=key or f"k{n}", conversation=conversation, n=n, body="hi")


def message(
    seq: int, *, conversation: ConversationId = C, key: str | None = None
) -> f.MessageFrame:
    return f.MessageFrame(
        conversation=conversation,
        seq=Seq(seq),
        sender=ParticipantId("a1" if key is None else "v1"),
        kind=MessageKind.TEXT,
        at=UnixMs(seq),
        body=str(seq),
        key=key,
    )


def sent(seq: int, key: str, conversation: ConversationId = C) -> f.Sent:
    return f.Sent(key=key, conversation=conversation, seq=Seq(seq), at=UnixMs(seq))


def welcome(*, epoch: str = "e", resumed: bool = True, **changes: Any) -> f.Welcome:
    fields: dict[str, Any] = dict(
        session="s", heartbeat_s=25.0, limits=SHARED, me=ME, at=UnixMs(9)
    )
    return f.Welcome(epoch=epoch, resumed=resumed, **fields | changes)


CLIENT_FRAMES: dict[type[f.Frame], f.Frame] = {
    type(frame): frame
    for frame in (
        f.Hello(token="t", epoch="e", cursors={C: Seq(5)}),
        f.Auth(token="t2"),
        f.Follow(conversation=D, after=Seq(2)),
        f.Unfollow(conversation=C),
        send(1),
        f.Ack(conversation=C, seq=Seq(4)),
        f.Read(conversation=C, seq=Seq(4)),
        f.Fetch(id="1", conversation=C, before=Seq(9), limit=10),
        f.Typing(conversation=C, text="he"),
        f.Call(id="2", method="people.get", params={"ids": ["v1"]}),
        f.Watch(topic="conversations"),
        f.Unwatch(topic="conversations"),
        f.Ping(),
        f.Pong(),
        f.Bye(),
    )
}
SERVER_FRAMES: dict[type[f.Frame], f.Frame] = {
    type(frame): frame
    for frame in (
        welcome(heads={C: Seq(5)}),
        f.AuthOk(expires_at=UnixMs(5)),
        sent(1, "k1"),
        message(1),
        f.Head(conversation=C, last_seq=Seq(4)),
        f.Page(
            id="1",
            conversation=C,
            messages=[
                f.PageMessage(
                    seq=Seq(1),
                    sender=ParticipantId("s0"),
                    kind=MessageKind.ASSIGNMENT,
                    at=UnixMs(1),
                    data={"assignee": None},
                )
            ],
            more=True,
            head=Seq(9),
        ),
        f.Reply(id="2", result={"people": []}),
        f.Receipt(conversation=C, who=ParticipantId("a1"), delivered=Seq(3)),
        f.TypingEvent(conversation=C, who=ParticipantId("v1"), text="he"),
        f.Snapshot(topic="conversations", version=3, rows=[{"id": 1}]),
        f.Event(topic="conversations", version=4, put={"id": 1}),
        f.ErrorFrame(code="not_found", text="no", id="1"),
        f.Ping(),
        f.Pong(),
        f.Drain(within_s=3.0),
        f.Closed(code=4200, reason="restart"),
    )
}
assert set(CLIENT_FRAMES) == set(get_args(f.ClientFrame))
assert set(SERVER_FRAMES) == set(get_args(f.ServerFrame))
