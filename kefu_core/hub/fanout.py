"""One message, encoded at most once for each codec and audience."""

from kefu_core.folding import may_read
from kefu_core.model import Message, MessageKind
from kefu_core.protocol.codec import Codec
from kefu_core.protocol.frames import MessageFrame, PageMessage
from kefu_core.types import ParticipantId


def message_frame(
    message: Message, *, as_visitor: bool, reader: ParticipantId
) -> MessageFrame:
    """Return a message as one reader may see it (G10)."""
    if not may_read(message, as_visitor=as_visitor):
        return MessageFrame(
            conversation=message.conversation,
            seq=message.seq,
            sender=message.sender,
            kind=MessageKind.PLACEHOLDER,
            at=message.at,
        )
    return MessageFrame(
        conversation=message.conversation,
        seq=message.seq,
        sender=message.sender,
        kind=message.kind,
        at=message.at,
        body=message.body,
        data=message.data,
        ref=message.ref,
        key=message.key if message.sender == reader else None,
    )


def page_message(
    message: Message, *, as_visitor: bool, reader: ParticipantId
) -> PageMessage:
    """Return a message as one reader may see it inside a page (G10)."""
    frame = message_frame(message, as_visitor=as_visitor, reader=reader)
    return PageMessage(
        seq=frame.seq,
        sender=frame.sender,
        kind=frame.kind,
        at=frame.at,
        body=frame.body,
        data=frame.data,
        ref=frame.ref,
        key=frame.key,
    )


def cut_page(
    messages: list[Message], bytes_max: int, *, from_end: bool
) -> tuple[list[Message], bool]:
    """Cut a page at its limit of bytes, keeping the side next to the cursor.

    Returns:
        What fits, at least one message, and whether something was left out.
    """
    kept = 0
    for message in reversed(messages) if from_end else messages:
        data = str(message.data) if message.data else ""
        bytes_max -= 100 + 3 * (len(message.body) + len(data))
        if bytes_max < 0 and kept:
            break
        kept += 1
    if kept == len(messages):
        return messages, False
    return (messages[-kept:] if from_end else messages[:kept]), True


class Fanout:
    """A message on its way to many readers."""

    __slots__ = ("_encoded", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._encoded: dict[tuple[str, bool, bool], bytes] = {}

    def encoded(
        self, codec: Codec, *, as_visitor: bool, reader: ParticipantId
    ) -> bytes:
        """Return the message as bytes for this reader."""
        audience = (codec.name, as_visitor, reader == self.message.sender)
        encoded = self._encoded.get(audience)
        if encoded is None:
            frame = message_frame(self.message, as_visitor=as_visitor, reader=reader)
            encoded = self._encoded[audience] = codec.encode(frame)
        return encoded
