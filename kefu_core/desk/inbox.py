"""The agents' list: what waits, what is being answered and what was closed lately.

Rows change in the step of the commit, so the list is never behind the log. What needs
the store, a visitor's name or a new count of unread texts, follows from one background
task: rows are marked as owing something, and the task works the marks off.
"""

import logging
from typing import Any

import anyio

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.desk.rows import agents_row, visitor_name
from kefu_core.errors import KefuError
from kefu_core.folding import is_visitor
from kefu_core.hub.lists import WatchedList
from kefu_core.limits import Limits
from kefu_core.model import (
    SPOKEN_KINDS,
    Appended,
    Conversation,
    ConversationStatus,
    Cursor,
    Message,
)
from kefu_core.types import ConversationId, ParticipantId, Seq

logger = logging.getLogger(__name__)

TOPIC = "conversations"
UNREAD_MAX = 999
"""Nobody reads a larger badge, and counting further costs reads."""
_RETRY_S = 1.0
_CLOSED = ConversationStatus.CLOSED.value


class Inbox:
    """Observes the hub and keeps the watched list `conversations`.

    Invariant: a row that is in the list, and owes nothing, shows what a fold of the
    log and the agents' cursors show.
    """

    def __init__(self, store: Store, limits: Limits, topic: WatchedList) -> None:
        self._store = store
        self._limits = limits
        self._topic = topic
        self._names: dict[ParticipantId, str] = {}
        """Names of the list's visitors."""
        self._read: dict[ConversationId, Seq] = {}
        """How far any agent has read, where that was told."""
        self._owing: dict[ConversationId, None] = {}
        """Rows whose name or unread count must be looked up."""
        self._is_stale = False
        """Texts or names were erased since the rows were loaded."""
        self._wake = anyio.Event()

    async def load(self) -> None:
        """Fill the list from the store, before anything is served.

        Raises:
            StoreUnavailable: The store is away.
        """
        maximum = self._limits.list_rows_max
        rows = await self._store.list_open_conversations(limit=maximum)
        newest = await self._store.find_conversations(
            ConversationFilter(), limit=maximum
        )
        closed = [r for r in newest if r.status is ConversationStatus.CLOSED]
        rows += closed[: maximum - len(rows)]
        people = await self._store.people([row.visitor for row in rows])
        self._names = {person.id: person.name for person in people}
        unread = await self._store.count_unread([row.id for row in rows])
        self._topic.replace(self._row(row, unread.get(row.id, 0)) for row in rows)

    async def run(self) -> None:
        """Look up what rows owe, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._is_stale:
                self._is_stale = False
                try:
                    await self._look_again()
                except KefuError as error:
                    logger.info("erased lines leave the list later: %s", error)
                    self._is_stale = True
                    await anyio.sleep(_RETRY_S)
            while self._owing:
                conversation = next(iter(self._owing))
                del self._owing[conversation]
                try:
                    await self._settle(conversation)
                except KefuError as error:
                    logger.info("a row of the list is brought up later: %s", error)
                    self._owe(conversation)
                    await anyio.sleep(_RETRY_S)
                except Exception:
                    # A fault of ours in one row must not stop the list.
                    logger.exception("a row of the list cannot be brought up to date")

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Show a conversation as it is after a message."""
        row, message = appended.conversation, appended.message
        if row is None:
            return
        known = self._topic.rows.get(row.id)
        unread = int(known["unread"]) if known else 0
        # Whoever caught up from the store may have read it before it is told here.
        if _is_visitors_text(message) and message.seq > self._read.get(row.id, 0):
            unread = min(unread + 1, UNREAD_MAX)
        self._put(row, unread)
        if known is None or message.seq != known["last_seq"] + 1:
            # New to the list, or one before it was stored and never told.
            self._owe(row.id)

    def message_found(self, repeated: Appended) -> None:
        """Show a conversation whose newest messages were stored and not told."""
        row = repeated.conversation
        known = self._topic.rows.get(row.id) if row else None
        if row is not None and known and known["last_seq"] < row.last_seq:
            self._put(row, int(known["unread"]))
            self._owe(row.id)

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Count anew what an agent has not read."""
        row = self._topic.rows.get(cursor.conversation)
        is_news = cursor.read > self._read.get(cursor.conversation, 0)
        if row is None or is_visitor(cursor.participant) or not is_news:
            return
        self._read[cursor.conversation] = cursor.read
        if cursor.read >= row["last_seq"]:
            self._topic.put({**row, "unread": 0})
        elif row["unread"]:
            self._owe(cursor.conversation)

    def conversation_opened(self, row: Conversation) -> None:
        """Show a conversation that has no message yet."""
        known = self._topic.rows.get(row.id)
        if known is None and row.status is not ConversationStatus.CLOSED:
            self._put(row, 0)
            self._owe(row.id)

    def named(self, visitor: ParticipantId, name: str) -> None:
        """Show what a visitor is called from now on."""
        rows = [r for r in self._topic.rows.values() if r["visitor"] == visitor]
        if rows:
            self._names[visitor] = name
        for row in rows:
            self._topic.put({**row, "visitor_name": visitor_name(visitor, name)})

    def history_erased(self) -> None:
        """Look again at every line and name that is shown, in the background."""
        self._is_stale = True
        self._wake.set()

    # -- rows ------------------------------------------------------------------------

    def _row(self, row: Conversation, unread: int) -> dict[str, Any]:
        name = visitor_name(row.visitor, self._names.get(row.visitor, ""))
        return dict(agents_row(row, name, unread))

    def _put(self, row: Conversation, unread: int) -> None:
        self._topic.put(self._row(row, unread))
        while len(self._topic.rows) > self._limits.list_rows_max:
            self._drop(min(self._topic.rows.values(), key=_usefulness))

    def _drop(self, row: dict[str, Any]) -> None:
        conversation = ConversationId(row["id"])
        self._topic.drop(conversation)
        self._read.pop(conversation, None)
        self._owing.pop(conversation, None)
        if not any(r["visitor"] == row["visitor"] for r in self._topic.rows.values()):
            self._names.pop(row["visitor"], None)

    def _owe(self, conversation: ConversationId) -> None:
        self._owing[conversation] = None
        self._wake.set()

    # -- what needs the store ----------------------------------------------------------

    async def _settle(self, conversation: ConversationId) -> None:
        row = self._topic.rows.get(conversation)
        if row is None:
            return
        visitor = ParticipantId(row["visitor"])
        if visitor not in self._names:
            people = await self._store.people([visitor])
            self._names[visitor] = people[0].name if people else ""
        stored = await self._store.cursors(conversation)
        agents = [c.read for c in stored if not is_visitor(c.participant)]
        read = max([*agents, self._read.get(conversation, Seq(0))])
        texts, end = await self._visitors_texts(conversation, Seq(read))
        self._count(conversation, visitor, read, texts, end)

    async def _look_again(self) -> None:
        """Take out of the rows what is no longer stored."""
        rows = list(self._topic.rows.values())
        lines = await self._store.last_lines([row["id"] for row in rows])
        visitors = list({ParticipantId(row["visitor"]) for row in rows})
        people = await self._store.people(visitors)
        self._names.update({person.id: person.name for person in people})
        for conversation in [row["id"] for row in rows]:
            row = self._topic.rows.get(conversation)
            if row is None:
                continue
            seq, line = lines.get(conversation, (Seq(0), ""))
            visitor = ParticipantId(row["visitor"])
            name = visitor_name(visitor, self._names.get(visitor, ""))
            # A row that was told of a newer message has that message's line.
            shown = line if row["last_seq"] <= seq else row["last_line"]
            if (shown, name) != (row["last_line"], row["visitor_name"]):
                self._topic.put({**row, "last_line": shown, "visitor_name": name})

    async def _visitors_texts(
        self, conversation: ConversationId, after: Seq
    ) -> tuple[list[Seq], Seq]:
        """Return the seqs of a visitor's texts after a seq, and the end of the log.

        A log with more than `UNREAD_MAX` of them is not read to its end.
        """
        texts: list[Seq] = []
        limit = self._limits.page_messages_max
        while len(texts) < UNREAD_MAX:
            page = await self._store.history(conversation, after=after, limit=limit)
            texts += [message.seq for message in page if _is_visitors_text(message)]
            after = page[-1].seq if page else after
            if len(page) < limit:
                break
        return texts, after

    def _count(
        self,
        conversation: ConversationId,
        visitor: ParticipantId,
        read: int,
        texts: list[Seq],
        end: Seq,
    ) -> None:
        """Set the count, in one step with what the hub has told until now."""
        row = self._topic.rows.get(conversation)
        if row is None:
            if not any(r["visitor"] == visitor for r in self._topic.rows.values()):
                self._names.pop(visitor, None)
            return
        read = max(read, self._read.get(conversation, 0))
        self._read[conversation] = Seq(read)
        last = row["last_seq"]
        if last > end and len(texts) < UNREAD_MAX:
            self._owe(conversation)  # A message came after the log was read.
        # A text that is stored and was not told yet is counted when it is told.
        unread = sum(read < seq <= last for seq in texts)
        name = visitor_name(visitor, self._names.get(visitor, ""))
        self._topic.put(
            {**row, "visitor_name": name, "unread": min(unread, UNREAD_MAX)}
        )


def _is_visitors_text(message: Message) -> bool:
    return message.kind in SPOKEN_KINDS and is_visitor(message.sender)


def _usefulness(row: dict[str, Any]) -> tuple[int, int, int]:
    """What leaves a full list first: closed, then answered, then waiting the least."""
    if row["status"] == _CLOSED:
        return 0, row["last_at"], row["id"]
    if row["waiting_since"] is None:
        return 1, row["last_at"], row["id"]
    return 2, -row["waiting_since"], -row["id"]
