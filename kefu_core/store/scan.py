"""Searching a few conversations by reading them, which needs no index."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.model import Conversation, Message
from kefu_core.store import history
from kefu_core.store.matching import Matches, document_range, numbered
from kefu_core.store.reading import Read
from kefu_core.types import ConversationId, Seq

_PAGE = 500


async def scan(
    read: Read,
    found: Matches,
    rows: Sequence[Conversation],
    is_late: Callable[[], bool],
) -> bool:
    """Offer the messages of these conversations; False if the time was up."""
    messages: list[Message] = []
    for row in rows:
        before: Seq | None = None
        while before is None or before > 1:
            if is_late():
                break
            page = await read(partial(_page, row.id, before))
            messages += page
            if len(page) < _PAGE:
                break
            before = page[0].seq
    since, below = document_range(found.query)
    for document, message in numbered(messages):
        if since <= document < below:
            found.offer(document, message)
    return not is_late()


async def _page(
    conversation: ConversationId, before: Seq | None, connection: AsyncConnection
) -> list[Message]:
    return await history.page(connection, conversation, None, before, _PAGE)
