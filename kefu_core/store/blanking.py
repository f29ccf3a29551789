"""What is left of a message without its content: pure."""

from kefu_core.model import Message, MessageKind

_KEPT = ("score", "instead")


def blanked(message: Message) -> Message:
    """Return what is left of a text or note."""
    data: dict[str, object] = {"was": str(message.kind)}
    if message.kind is MessageKind.RATING:
        # A number says nothing about anybody, and reports go on counting it.
        data |= {k: v for k, v in (message.data or {}).items() if k in _KEPT}
    return Message(
        conversation=message.conversation,
        seq=message.seq,
        sender=message.sender,
        key=message.key,
        kind=MessageKind.ERASED,
        body="",
        at=message.at,
        data=data,
        ref=message.ref,
    )
