"""Lines that are made of a message, and go with it: edits and translations.

An erasure takes along what stands in the log by then. What is appended at the same
moment may come after it, so whoever appends looks again at what it was made of.
"""

from typing import TYPE_CHECKING

from kefu_core.model import Appended, Draft, MessageKind
from kefu_core.types import ConversationId, Seq

if TYPE_CHECKING:
    from kefu_core.hub.hub import Hub


async def append_derived(
    hub: "Hub", draft: Draft, *, patience_s: float = 0.0
) -> Appended | None:
    """Append what was made of the message at `draft.ref`.

    Args:
        hub: Who appends and tells.
        draft: What is appended.
        patience_s: See `Hub.append`.

    Returns:
        None where that one was erased at the same moment, and this with it.

    Raises what `Hub.append` and `Store.erase_conversation` raise.
    """
    assert draft.ref is not None, "made of nothing"
    appended = await hub.append(draft, patience_s=patience_s)
    number, seq = draft.conversation, appended.message.seq
    if not await is_erased(hub, number, draft.ref):
        return appended
    await hub.store.erase_conversation(number, after=Seq(seq - 1), limit=1, upto=seq)
    hub.forget(number)
    return None


async def is_erased(hub: "Hub", conversation: ConversationId, seq: Seq) -> bool:
    """Whether nothing is left of a message."""
    found = await hub.store.history(conversation, after=Seq(seq - 1), limit=1)
    return not found or found[0].kind is MessageKind.ERASED
