"""Which logs a connection follows, and how it catches up with them."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from kefu_core import serving
from kefu_core.errors import KefuError, LogDamaged
from kefu_core.hub.fanout import Fanout
from kefu_core.hub.wholeness import read_on
from kefu_core.model import Conversation, Cursor, Message
from kefu_core.protocol import frames as f
from kefu_core.protocol.cursors import LogFollower
from kefu_core.types import ConversationId, Seq

if TYPE_CHECKING:
    from kefu_core.hub.connection import Connection
    from kefu_core.hub.hub import Hub

logger = logging.getLogger(__name__)

_READ_RETRY_S = 0.5


class Following:
    """Live messages, catch-up from memory or by a read, and receipts of a start."""

    __slots__ = (
        "_attached",
        "_connection",
        "_early_heads",
        "_followers",
        "_hub",
        "_lagging",
        "_outbox",
    )

    def __init__(self, hub: "Hub", connection: "Connection") -> None:
        self._hub = hub
        self._connection = connection
        self._outbox = connection.outbox
        self._followers = connection.session.followers
        self._attached: dict[ConversationId, None] = {}
        """Attached at the hub and not followed yet."""
        self._early_heads: dict[ConversationId, Seq] = {}
        """Appends seen between attaching and following."""
        self._lagging: dict[ConversationId, None] = {}
        """Followers that wait for room or for a read."""

    def attached(self) -> list[ConversationId]:
        """Return the conversations that the hub offers to this connection."""
        return list({**self._followers, **self._attached})

    # -- live --------------------------------------------------------------------------

    def deliver(self, fanout: Fanout) -> None:
        """Send a message that was just committed, if it is this follower's next."""
        message = fanout.message
        conversation, seq = message.conversation, message.seq
        follower = self._followers.get(conversation)
        if follower is None:
            self._early_heads[conversation] = seq
        elif follower.offer(seq, has_room=self._outbox.has_room):
            self._put(fanout)
        else:
            self._lagging[conversation] = None
            self._pump(conversation)

    def hint(self, conversation: ConversationId, head: Seq) -> None:
        """Note that a log reaches up to `head`; read on if this is news."""
        follower = self._followers.get(conversation)
        if follower is None:
            early = self._early_heads.get(conversation, Seq(0))
            self._early_heads[conversation] = max(early, head)
        elif head > follower.head:
            follower.hint(head)
            self._lagging[conversation] = None
            self._pump(conversation)

    def has_room_again(self) -> None:
        """Bring on who waited for the peer to read."""
        if self._lagging:
            for conversation in list(self._lagging):
                self._pump(conversation)

    def _put(self, fanout: Fanout) -> None:
        connection = self._connection
        self._hub.counts.delivered += 1
        self._outbox.put(
            fanout.encoded(
                connection.codec,
                as_visitor=not connection.is_agent,
                reader=connection.name_in_followed(fanout.message.conversation),
            )
        )
        connection.wake()

    # -- beginning and end -------------------------------------------------------------

    async def answer(self, follow: f.Follow) -> None:
        """Follow a conversation. Raises `NotFound`, `StoreUnavailable`."""
        self.attach(follow.conversation)
        try:
            row = await self._connection.load(follow.conversation)
        except BaseException:
            self.detach(follow.conversation)
            raise
        if follow.conversation not in self._attached:
            return  # Unfollowed while the row was read.
        self.start(row, follow.after)
        await self.load_receipts([row.id])

    def head(self, row: Conversation) -> Seq:
        """Return the newest seq known, of a row that may be a little old."""
        fresh = self._hub.row(row.id)
        early = self._early_heads.get(row.id, Seq(0))
        return max(row.last_seq, early, fresh.last_seq if fresh else Seq(0))

    def attach(self, conversation: ConversationId) -> None:
        """Be told of every append from now on; before the head is read."""
        self._attached[conversation] = None
        self._hub.attach(self._connection, conversation)

    def detach(self, conversation: ConversationId) -> None:
        """Undo `attach` where nothing came of it."""
        self._attached.pop(conversation, None)
        self._early_heads.pop(conversation, None)
        if conversation not in self._followers:
            self._hub.unsubscribe(self._connection, conversation)

    def start(self, row: Conversation, after: Seq) -> None:
        """Send all that comes after a seq."""
        connection = self._connection
        head = self.head(row)
        self._early_heads.pop(row.id, None)
        self._hub.subscribe(connection, row)
        before = self._followers.get(row.id)
        connection.session.followed(row.id, after, head)
        if self._followers.get(row.id) is before:
            self.detach(row.id)  # Refused: the cursor is ahead.
            return
        self._attached.pop(row.id, None)
        connection.sends.forget(row.id)
        if after:
            me = connection.name_in(row)
            self._hub.receipts.advance(row.id, me, delivered=after)
        connection.flush()
        self._pump(row.id)

    def stop(self, conversation: ConversationId) -> None:
        """Send nothing more of a conversation, nor begin what was asked before."""
        self._connection.requests.withdraw(f.Follow, conversation)
        self._connection.session.unfollowed(conversation)
        self._lagging.pop(conversation, None)
        self.detach(conversation)

    async def load_receipts(self, conversations: Sequence[ConversationId]) -> None:
        """Tell how far the others have come."""
        receipts = self._hub.receipts
        unknown = [c for c in conversations if not receipts.is_loaded(c)]
        try:
            if unknown:
                stored = await self._hub.store.cursors(*unknown)
                receipts.merge_stored(unknown, stored)
        except KefuError as error:
            logger.info("receipts come later: %s", error)
        for conversation in conversations:
            for cursor in receipts.of(conversation):
                self._tell_receipt(cursor)

    def _tell_receipt(self, cursor: Cursor) -> None:
        conversation, who = cursor.conversation, cursor.participant
        frame = f.Receipt(
            conversation=conversation,
            who=who,
            delivered=cursor.delivered,
            read=cursor.read,
        )
        self._connection.deliver_latest(("receipt", conversation, who), frame)

    # -- catching up -------------------------------------------------------------------

    def _pump(self, conversation: ConversationId) -> None:
        """Bring a follower on: from memory in this step, else by a read."""
        follower = self._followers.get(conversation)
        tasks = self._connection.tasks
        if follower is None or tasks is None:
            self._lagging.pop(conversation, None)
            return
        while follower.wants_read(has_room=self._outbox.has_room):
            recent = self._hub.recent(
                conversation, follower.cursor, self._hub.limits.page_messages_max
            )
            if not recent or not self._take(follower, recent):
                follower.read_started()
                tasks.start_soon(self._catch_up, conversation, follower)
                break
        if follower.head > follower.cursor:
            self._lagging[conversation] = None
        else:
            self._lagging.pop(conversation, None)

    async def _catch_up(
        self, conversation: ConversationId, follower: LogFollower
    ) -> None:
        hub = self._hub
        # A message of somebody else may have started it.
        serving.connection.set(self._connection.number)
        hub.counts.catch_ups += 1
        try:
            async with hub.catchup_limiter:
                rows = await read_on(
                    hub,
                    conversation,
                    after=follower.cursor,
                    limit=hub.limits.page_messages_max,
                )
        except LogDamaged as error:
            if self._followers.get(conversation) is follower:
                self._refuse(conversation, follower.cursor, error)
            return
        except KefuError as error:
            logger.info("a catch-up read failed and is tried again: %s", error)
            await anyio.sleep(_READ_RETRY_S)
            rows = None
        finally:
            follower.read_finished()
        if self._followers.get(conversation) is not follower:
            return
        if rows is not None and not self._take(follower, rows) and not rows:
            # Nothing is there: the hint was wrong. Believing it would read for ever.
            follower.head = follower.cursor
        self._pump(conversation)

    def _refuse(
        self, conversation: ConversationId, cursor: Seq, error: LogDamaged
    ) -> None:
        """Follow no further: what comes after would look as if it were next."""
        connection = self._connection
        about = f.Follow(conversation=conversation, after=cursor)
        connection.session.error(error, about=about)
        self.stop(conversation)
        connection.flush()

    def _take(self, follower: LogFollower, messages: list[Message]) -> bool:
        """Queue messages that continue the log while there is room."""
        took_any = False
        for message in messages:
            if not self._outbox.has_room:
                break
            if message.seq <= follower.cursor:
                continue
            if not follower.take(message.seq):
                break
            self._put(Fanout(message))
            took_any = True
        return took_any
