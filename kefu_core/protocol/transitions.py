"""The states of both roles, as tables. Nothing that decides a state lives elsewhere.

Theory of operation
-------------------

A connection is short; a conversation is for ever. So a session's states say only how
far one connection has come, and everything that must survive it (which seqs a client
holds, which sends are unanswered) is carried by the client into the next `hello`.

::

    server  await_hello ─hello─▶ authenticating ─welcome()─▶ live ─drain()─▶ draining
                │                     │                      │                │
                └─── bye, end of stream, a fatal fault, close() ───▶ closed ◀──┘

    client   idle ──connected()──▶ hello_sent ──welcome──▶ live ──drain──▶ draining
               ▲                                            │                 │
               └──────────────── end of stream, closed ─────┴─────────────────┘

The tables list the frames a state accepts from the peer. A frame that is not listed is
answered with `bad_request` and changes nothing; the connection goes on. A client that
speaks before `hello`, or twice says `hello`, learns so and may go on correctly.
"""

from enum import StrEnum

from kefu_core.protocol import frames as f


class ServerState(StrEnum):
    """How far a connection has come, seen from the server."""

    AWAIT_HELLO = "await_hello"
    AUTHENTICATING = "authenticating"
    LIVE = "live"
    DRAINING = "draining"
    CLOSED = "closed"


class ClientState(StrEnum):
    """How far a connection has come, seen from the client."""

    IDLE = "idle"
    HELLO_SENT = "hello_sent"
    LIVE = "live"
    DRAINING = "draining"


_ALWAYS: frozenset[type[f.Frame]] = frozenset({f.Ping, f.Pong, f.Bye})
_LIVE: frozenset[type[f.Frame]] = _ALWAYS | {
    f.Auth,
    f.Follow,
    f.Unfollow,
    f.Send,
    f.Ack,
    f.Read,
    f.Fetch,
    f.Typing,
    f.Call,
    f.Watch,
    f.Unwatch,
}

SERVER_ACCEPTS: dict[ServerState, frozenset[type[f.Frame]]] = {
    ServerState.AWAIT_HELLO: _ALWAYS | {f.Hello},
    ServerState.AUTHENTICATING: _ALWAYS,
    ServerState.LIVE: _LIVE,
    # A draining server still hears what it asked for, and refuses new work itself
    # with `unavailable`, which a client retries elsewhere.
    ServerState.DRAINING: _LIVE,
    ServerState.CLOSED: frozenset(),
}

_CLIENT_ALWAYS: frozenset[type[f.Frame]] = frozenset(
    {f.Ping, f.Pong, f.ErrorFrame, f.Closed, f.Drain}
)
_CLIENT_LIVE: frozenset[type[f.Frame]] = _CLIENT_ALWAYS | {
    f.AuthOk,
    f.Sent,
    f.MessageFrame,
    f.Head,
    f.Page,
    f.Reply,
    f.Receipt,
    f.TypingEvent,
    f.Snapshot,
    f.Event,
}

CLIENT_ACCEPTS: dict[ClientState, frozenset[type[f.Frame]]] = {
    ClientState.IDLE: frozenset(),
    ClientState.HELLO_SENT: _CLIENT_ALWAYS | {f.Welcome},
    ClientState.LIVE: _CLIENT_LIVE,
    ClientState.DRAINING: _CLIENT_LIVE,
}
