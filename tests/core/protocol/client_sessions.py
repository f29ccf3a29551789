"""A client's session in any state, and what it says to what it is told."""

from kefu_core.errors import ErrorCode
from kefu_core.model import Draft
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.events import ClientEvent
from kefu_core.protocol.transitions import ClientState
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.protocol.samples import C, welcome

Said = tuple[list[f.Frame], list[ClientEvent]]
NOTHING: Said = ([], [])


def said(session: ClientSession) -> Said:
    return list(session.frames_to_send()), list(session.events())


def told(session: ClientSession, *frames: f.Frame, now: float = 0.0) -> Said:
    session.receive(frames, now)
    return said(session)


def session_in(state: ClientState) -> ClientSession:
    """Bring a session, which follows C after 3, into a state."""
    session = ClientSession(client="test 1")
    session.follow(C, Seq(3))
    if state is not ClientState.IDLE:
        session.connected("t", 0.0)
    if state in (ClientState.LIVE, ClientState.DRAINING):
        session.receive([welcome()], 0.0)
    if state is ClientState.DRAINING:
        session.receive([f.Drain(within_s=3.0)], 0.0)
    assert session.state is state
    said(session)
    return session


def live() -> ClientSession:
    return session_in(ClientState.LIVE)


def draft(key: str, conversation: ConversationId = C) -> Draft:
    return Draft(
        conversation=conversation, sender=ParticipantId("v1"), key=key, body="hi"
    )


def refusal(
    code: ErrorCode, key: str | None, retry: str = "same", after_s: float = 0.0
) -> f.ErrorFrame:
    return f.ErrorFrame(
        code=code, text="no", retry=retry, after_s=after_s, key=key, conversation=C
    )


def follow(after: int, conversation: ConversationId = C) -> f.Follow:
    return f.Follow(conversation=conversation, after=Seq(after))


def ack(seq: int, conversation: ConversationId = C) -> f.Ack:
    return f.Ack(conversation=conversation, seq=Seq(seq))
