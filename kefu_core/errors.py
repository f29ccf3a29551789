"""Every error kefu raises, and the codes that travel on the wire.

::

    KefuError                       .code  .retry  .retry_after_s
    ├── ProtocolError               abstract
    │   ├── LocalProtocolError      a session was used wrongly: a bug on our side
    │   └── RemoteProtocolError     the peer broke the protocol
    ├── RefusedError                told to the peer in an `error` frame
    │   ├── NotAllowed · Banned · Unauthorized · NotFound · Invalid · Conflict
    │   ├── TooLarge · AckAhead · OutOfOrder
    │   └── TooMany · Busy          carry retry_after_s
    ├── ConnectionClosed            .close_code, .reason
    ├── StoreError
    │   ├── StoreUnavailable        nothing was committed, retry is safe
    │   │   └── StorageFull         the same, for want of room on the disk
    │   └── LogDamaged              a conversation is not whole; retrying cannot help
    └── ConfigurationError          at start only; names the setting

A class holds data; its default text is the first line of its docstring.
"""

from enum import IntEnum, StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Codes of the `error` frame (docs/protocol.md, "Errors")."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_FRAME = "unknown_frame"
    TOO_LARGE = "too_large"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    BANNED = "banned"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    ACK_AHEAD = "ack_ahead"
    OUT_OF_ORDER = "out_of_order"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    STORAGE_FULL = "storage_full"
    DAMAGED = "damaged"
    INTERNAL = "internal"


class Retry(StrEnum):
    """Whether sending the same request again can help."""

    NONE = "none"
    SAME = "same"
    LATER = "later"


class CloseCode(IntEnum):
    """Why a connection ends; the hundreds say what the client does next.

    1000 leave. 4000-4099 stop for good. 4100-4199 back off, then reconnect.
    4200-4299 reconnect at once (with the usual jitter).
    """

    NORMAL = 1000
    BAD_PROTOCOL = 4000
    UNAUTHORIZED = 4001
    VERSION = 4002
    BANNED = 4003
    OVERLOADED = 4100
    RESTART = 4200
    SILENT = 4201
    SLOW = 4202
    TOKEN_EXPIRED = 4203
    SUPERSEDED = 4204

    @property
    def may_reconnect(self) -> bool:
        """Whether a client should come back by itself."""
        return self >= CloseCode.OVERLOADED


class KefuError(Exception):
    """Something went wrong in kefu."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    retry: ClassVar[Retry] = Retry.NONE

    def __init__(self, text: str = "", *, retry_after_s: float = 0.0) -> None:
        """Take a sentence for a person and, where it applies, seconds to wait."""
        super().__init__(text)
        self.text = text or (type(self).__doc__ or "").split("\n", 1)[0]
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.text


class ProtocolError(KefuError):
    """The protocol was broken."""

    code = ErrorCode.BAD_REQUEST


class LocalProtocolError(ProtocolError):
    """A session was used in a way its state does not allow."""

    code = ErrorCode.INTERNAL


class RemoteProtocolError(ProtocolError):
    """The peer sent something the protocol does not allow."""


class RefusedError(KefuError):
    """The request was refused."""

    code = ErrorCode.BAD_REQUEST


class Invalid(RefusedError):
    """The request is malformed."""


class NotAllowed(RefusedError):
    """This is not allowed."""

    code = ErrorCode.FORBIDDEN


class Banned(RefusedError):
    """You may not write here any more."""

    code = ErrorCode.BANNED


class Unauthorized(RefusedError):
    """The token is missing, wrong or expired."""

    code = ErrorCode.UNAUTHORIZED


class NotFound(RefusedError):
    """There is no such thing, or it is not yours to see."""

    code = ErrorCode.NOT_FOUND


class Conflict(RefusedError):
    """This key was already used for another message."""

    code = ErrorCode.CONFLICT


class TooLarge(RefusedError):
    """The request is larger than the limit allows."""

    code = ErrorCode.TOO_LARGE


class AckAhead(RefusedError):
    """An acknowledgement goes beyond what was sent."""

    code = ErrorCode.ACK_AHEAD


class OutOfOrder(RefusedError):
    """An earlier message of yours failed; send again from that one on."""

    code = ErrorCode.OUT_OF_ORDER
    retry = Retry.SAME


class TooMany(RefusedError):
    """Too many requests; wait before the next."""

    code = ErrorCode.RATE_LIMITED
    retry = Retry.SAME


class Busy(RefusedError):
    """The server has too much waiting; try again shortly."""

    code = ErrorCode.BUSY
    retry = Retry.SAME


class ConnectionClosed(KefuError):
    """The connection is closed."""

    def __init__(self, close_code: int = 1006, reason: str = "") -> None:
        """Take the close code the peer gave, 1006 when it gave none."""
        super().__init__(f"closed with {close_code} {reason}".rstrip())
        self.close_code = close_code
        self.reason = reason


class StoreError(KefuError):
    """The store failed."""


class StoreUnavailable(StoreError):
    """The database is away; nothing was stored, sending again is safe."""

    code = ErrorCode.UNAVAILABLE
    retry = Retry.SAME


class StorageFull(StoreUnavailable):
    """The database's disk is full; nothing was stored, sending again is safe."""

    code = ErrorCode.STORAGE_FULL


class LogDamaged(StoreError):
    """This conversation is damaged on the server."""

    code = ErrorCode.DAMAGED


class ConfigurationError(KefuError):
    """A setting is wrong."""
