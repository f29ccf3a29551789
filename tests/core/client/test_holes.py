"""A client never shows a hole, and asks again at each one."""

from kefu_core.limits import SharedLimits
from kefu_core.model import MessageKind, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

C = ConversationId(7)


def message(seq: int) -> f.MessageFrame:
    return f.MessageFrame(
        conversation=C,
        seq=Seq(seq),
        sender=ParticipantId("a1"),
        kind=MessageKind.TEXT,
        at=UnixMs(seq),
        body=str(seq),
    )


def welcome() -> f.Welcome:
    return f.Welcome(
        session="s",
        epoch="e",
        resumed=True,
        heartbeat_s=25.0,
        limits=SharedLimits(
            frame_bytes=65_536,
            batch_frames=128,
            text_chars=5_000,
            key_chars=64,
            unacknowledged_sends=64,
            page_messages=100,
            cursors=500,
        ),
        me=Person(id=ParticipantId("v1"), name="", role=Role.VISITOR),
    )


def live_session() -> ClientSession:
    session = ClientSession()
    session.connected("token", 0.0)
    session.receive([welcome()], 0.0)
    session.follow(C, Seq(0))
    session.frames_to_send()
    session.events()
    return session


def asked_again(session: ClientSession) -> list[int]:
    return [
        frame.after for frame in session.frames_to_send() if isinstance(frame, f.Follow)
    ]


def test_every_hole_is_asked_for_again_not_only_the_first() -> None:
    session = live_session()
    session.receive([message(1), message(3), message(4)], 1.0)
    assert asked_again(session) == [1]
    session.receive([message(2), message(3), message(4)], 2.0)
    session.receive([message(6)], 3.0)
    assert asked_again(session) == [4]
    session.receive([message(5), message(6)], 4.0)
    shown = [e.seq for e in session.events() if isinstance(e, f.MessageFrame)]
    assert shown == [1, 2, 3, 4, 5, 6]
