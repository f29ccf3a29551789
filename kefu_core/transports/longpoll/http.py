"""One HTTP request and its answer, over ASGI."""

from collections.abc import Sequence

import anyio

from kefu_core.abc.transports import AsgiReceive, AsgiSend
from kefu_core.protocol.codec import JSON, MSGPACK, Codec
from kefu_core.protocol.longpoll import PollRefusal

CONTENT_TYPES = {"application/json": JSON, "application/msgpack": MSGPACK}
_NAMES = {codec.name: kind.encode() for kind, codec in CONTENT_TYPES.items()}


class Refused(Exception):
    """A request that is answered with another status than 200."""

    def __init__(
        self,
        status: int,
        error: str,
        text: str,
        retry_after_s: int = 0,
        *,
        expect: int | None = None,
    ) -> None:
        """Take what the answer says."""
        super().__init__(text)
        self.status = status
        self.body = PollRefusal(error=error, text=text, expect=expect)
        self.headers: list[tuple[bytes, bytes]] = []
        if retry_after_s:
            self.headers.append((b"retry-after", str(retry_after_s).encode()))
        if status == 405:
            self.headers.append((b"allow", b"POST"))


def codec_of(method: str, headers: dict[bytes, str]) -> Codec:
    """Return the codec of a request. Raises `Refused`."""
    if method != "POST":
        raise Refused(405, "bad_request", "Long poll is POST only.")
    # What was compressed may be a bomb, and nothing here is worth compressing.
    if headers.get(b"content-encoding", "identity") != "identity":
        raise Refused(415, "bad_request", "Send the body without Content-Encoding.")
    kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
    codec = CONTENT_TYPES.get(kind)
    if codec is None:
        text = "Content-Type must be application/json or application/msgpack."
        raise Refused(415, "bad_request", text)
    return codec


async def read_body(
    receive: AsgiReceive, headers: dict[bytes, str], maximum: int, timeout_s: float
) -> bytes | None:
    """Return the body, None if the client left. Raises `Refused`."""
    declared = headers.get(b"content-length", "0")
    if declared.isdigit() and int(declared) > maximum:
        raise Refused(413, "too_large", f"{declared} bytes; at most {maximum}.")
    body: bytes = b""
    with anyio.move_on_after(timeout_s) as scope:
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            part: bytes = event.get("body", b"")
            body += part
            if len(body) > maximum:
                raise Refused(413, "too_large", f"A body has at most {maximum} bytes.")
            if not event.get("more_body"):
                return body
    assert scope.cancelled_caught, "left the loop without a body"
    raise Refused(408, "bad_request", f"The body was not here in {timeout_s:.0f} s.")


async def answer(
    send: AsgiSend,
    codec: Codec,
    status: int,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Write a complete answer: a cut one must not parse, and nobody may keep it."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", _NAMES[codec.name]),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
