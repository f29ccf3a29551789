"""A server's session in any state, and what it says to what it is told."""

from kefu_core.errors import CloseCode
from kefu_core.limits import Limits
from kefu_core.protocol import frames as f
from kefu_core.protocol.events import CloseRequested, ServerEvent
from kefu_core.protocol.server import ServerSession
from kefu_core.protocol.transitions import ServerState
from kefu_core.types import Seq, UnixMs
from tests.core.protocol.samples import ME, C

LIMITS = Limits()
Said = tuple[list[f.Frame], list[ServerEvent]]


def session_in(
    state: ServerState, limits: Limits = LIMITS, expires_at: float | None = None
) -> ServerSession:
    """Bring a session into a state by the way a connection takes."""
    session = ServerSession(limits, 0.0)
    if state is ServerState.CLOSED:
        session.receive_eof(0.0)
    elif state is not ServerState.AWAIT_HELLO:
        session.receive([f.Hello(token="t")], 0.0)
        if state is not ServerState.AUTHENTICATING:
            session.welcome(
                session="s",
                epoch="e",
                resumed=True,
                me=ME,
                heads={},
                at=UnixMs(9),
                expires_at=expires_at,
            )
            session.followed(C, Seq(5), Seq(5))
        if state is ServerState.DRAINING:
            session.drain(3.0)
    assert session.state is state
    said(session)
    return session


def live(limits: Limits = LIMITS, expires_at: float | None = None) -> ServerSession:
    return session_in(ServerState.LIVE, limits, expires_at)


def said(session: ServerSession) -> Said:
    return list(session.frames_to_send()), list(session.events())


def told(session: ServerSession, *frames: f.Frame, now: float = 0.0) -> Said:
    session.receive(frames, now)
    return said(session)


def codes(session: ServerSession, *frames: f.Frame, now: float = 0.0) -> list[str]:
    """Say for each frame `ok` or the code of its refusal."""
    answers: list[str] = []
    for frame in frames:
        refusals, events = told(session, frame, now=now)
        answers += [e.code for e in refusals if isinstance(e, f.ErrorFrame)]
        answers += ["ok"] * len(events)
    return answers


def closing(code: CloseCode, reason: str) -> Said:
    return [f.Closed(code=code, reason=reason)], [CloseRequested(code, reason)]
