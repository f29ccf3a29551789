"""What is left of a message without its content: pure."""

from kefu_core.model import Message, MessageKind


def blanked(message: Message) -> Message:
    """Return what is left of a text or note."""
    return Message(
        conversation=message.conversation,
        seq=message.seq,
        sender=message.sender,
        key=message.key,
        kind=MessageKind.ERASED,
        body="",
        at=message.at,
        data={"was": str(message.kind)},
        ref=message.ref,
    )
