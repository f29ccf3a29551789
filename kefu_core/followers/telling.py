"""Writes down what webhooks are to be told: a delivery for every event they asked for.

The problem
-----------
A webhook must hear of every message at least once, also when the process that stored it
was killed in the next moment; and no message may wait for a webhook.

The idea
--------
The log is the queue. The hub only says which conversations have news; a background task
reads on from where it was in each and writes the deliveries. What nobody said, because
the process died or another node stored it, is found by a look at all conversations that
were active since `Webhook.told_from`, at the start and every half minute. After a look,
`told_from` moves to a moment shortly before that look began, never to its end: what was
being stored meanwhile is looked at once more.

Two who write the same delivery write one: its source is unique in the store.

Invariant: of a message of a subscribed site that is older than `told_from` there is a
delivery, or there was one. It rests on `at` of a message being at most `OVERLAP_MS`
before the moment at which others can read it: the longest commit and the difference of
the nodes' clocks together.
"""

import logging
from collections.abc import Callable, Sequence

import anyio
import msgspec

from kefu_core.abc.archive import ConversationFilter, Place
from kefu_core.abc.store import Store
from kefu_core.errors import Conflict, KefuError
from kefu_core.hooks import CONTEXT, HookEvent, delivery_of, events_of, message_content
from kefu_core.hooks import wants as is_wanted
from kefu_core.ids import IdGenerator
from kefu_core.model import Appended, Conversation, Cursor, Message
from kefu_core.records import Webhook, WebhookDelivery
from kefu_core.types import ConversationId, Seq, UnixMs

logger = logging.getLogger(__name__)

OVERLAP_MS = 120_000
LOOK_INTERVAL_S = 30.0
HOOKS_INTERVAL_S = 2.0
"""A webhook that was made or changed is known this late; a look finds what was said."""
GATHER_S = 0.1
"""News waits so long for more: a transaction costs the same for one as for many, and
sends wait for SQLite's only writer."""
NEWS_MAX = 10_000
"""Conversations; more news than that is left to the next look."""
KNOWN_MAX = 20_000
_PAGE = 100
_AT_ONCE = 20
"""Deliveries in one transaction: some milliseconds of SQLite's only writer, which then
is the chat's for as long."""
_WAITING_MAX = 1_000
"""Deliveries in memory before they are written."""
_WALKS_MAX = 20
_RETRY_S = 1.0
_REST_S_MAX = 0.1


class Telling:
    """Observes the hub and keeps the deliveries up with the log."""

    def __init__(
        self,
        store: Store,
        *,
        ids: IdGenerator,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """Take clocks (monotonic s, Unix ms), and what is called after writing."""
        self._store = store
        self._ids = ids
        self._now = now
        self._now_ms = now_ms
        self._told = told
        self._hooks: list[Webhook] = []
        self._hooks_at = float("-inf")
        self._look_at = float("-inf")
        self._news: dict[ConversationId, None] = {}
        self._whole: dict[ConversationId, Seq] = {}
        """Up to where each conversation has all its deliveries."""
        self._wake = anyio.Event()

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Note that a conversation has news, if anybody is to be told of any."""
        if not self._hooks:
            return
        if len(self._news) < NEWS_MAX:
            self._news[appended.message.conversation] = None
        else:
            self._look_at = self._now()
        self._wake.set()

    def message_found(self, repeated: Appended) -> None:
        """Note a message that was stored and perhaps told to nobody."""
        self.message_committed(repeated)

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing to tell."""

    def history_erased(self) -> None:
        """What was told was told."""

    # -- the work ----------------------------------------------------------------------

    async def run(self) -> None:
        """Write for ever; a store that is away is waited for."""
        while True:
            try:
                await self.step()
                wait_s = min(self._hooks_at + HOOKS_INTERVAL_S, self._look_at)
                with anyio.move_on_after(max(0.0, wait_s - self._now())):
                    await self._wake.wait()
                if self._news:
                    await anyio.sleep(GATHER_S)
            except KefuError as error:
                logger.info("webhooks are told later: %s", error)
                await anyio.sleep(_RETRY_S)
            except Exception:
                # A fault of ours in one message must not end the server, and not spin.
                logger.exception("webhooks cannot be told; it is tried again")
                await anyio.sleep(_RETRY_S)

    async def step(self) -> None:
        """Do what is due. Raises `StoreError`; nothing is forgotten then."""
        self._wake = anyio.Event()
        if self._now() >= self._hooks_at + HOOKS_INTERVAL_S:
            await self._load_hooks()
        if not self._hooks:
            self._news.clear()
            self._look_at = self._now() + LOOK_INTERVAL_S
            return
        while self._news:
            news = [*self._news][:_PAGE]
            for conversation in news:
                del self._news[conversation]
            try:
                rows = await self._store.conversations_by_id(news)
                await self._tell(list(rows.values()))
            except BaseException:
                self._news |= dict.fromkeys(news)
                raise
        if self._now() >= self._look_at:
            await self._look()
            self._look_at = self._now() + LOOK_INTERVAL_S

    async def _load_hooks(self) -> None:
        found = await self._store.list_records(Webhook, limit=500)
        had = {(hook.id, hook.site_id, hook.events) for hook in self._hooks}
        self._hooks = [hook for hook in found if hook.is_active]
        self._hooks_at = self._now()
        has = {(hook.id, hook.site_id, hook.events) for hook in self._hooks}
        if has - had:
            # Whoever asks for more has its own beginning: "whole" was said of less.
            self._whole.clear()
            self._look_at = self._now()

    async def _look(self) -> None:
        """Find what nobody said, and note how far the log was told."""
        began = self._now_ms()
        for _ in range(_WALKS_MAX):
            # A conversation that becomes active moves to the front, where this walk has
            # been already: it goes on until nothing is met for the first time.
            if not await self._walk():
                await self._note(UnixMs(began - OVERLAP_MS))
                return

    async def _walk(self) -> int:
        """Tell what lately active conversations have; return how many were unknown."""
        since, unknown = self._since, 0
        before: Place | None = None
        active = ConversationFilter(active_from=since)
        while True:
            rows = await self._store.find_conversations(
                active, before=before, limit=_PAGE
            )
            behind = [
                row
                for row in rows
                if row.last_at >= since and self._whole.get(row.id) != row.last_seq
            ]
            unknown += sum(row.id not in self._whole for row in behind)
            await self._tell(behind)
            if len(rows) < _PAGE:
                return unknown
            before = rows[-1].last_at, rows[-1].id

    async def _note(self, told_from: UnixMs) -> None:
        """Move every webhook's beginning on; whoever else changes it goes first."""
        for hook in self._hooks:
            if hook.told_from < told_from:
                changed = msgspec.structs.replace(
                    hook, told_from=told_from, revision=hook.revision + 1
                )
                await self._store.change_record(
                    changed, when={"revision": hook.revision}
                )
        self._hooks_at = float("-inf")

    @property
    def _since(self) -> UnixMs:
        return min(hook.told_from for hook in self._hooks)

    # -- one conversation --------------------------------------------------------------

    async def _tell(self, rows: Sequence[Conversation]) -> None:
        """Write the deliveries of what conversations have and this node has not."""
        waiting: list[WebhookDelivery] = []
        reached: dict[ConversationId, Seq] = {}
        for row in rows:
            reached[row.id] = await self._collect(row, waiting)
        await self._write(waiting)
        for conversation, seq in reached.items():
            self._whole.pop(conversation, None)
            self._whole[conversation] = seq
        while len(self._whole) > KNOWN_MAX:
            del self._whole[next(iter(self._whole))]

    async def _collect(self, row: Conversation, waiting: list[WebhookDelivery]) -> Seq:
        """Add what a conversation's webhooks are to be told; return up to where."""
        after = self._whole.get(row.id)
        if after is None:
            after = await self._beginning(row)
        if not any(hook.site_id in {0, row.site_id} for hook in self._hooks):
            return max(after, row.last_seq)
        start = Seq(max(0, after - CONTEXT))
        log = await self._store.history(row.id, after=start, limit=CONTEXT + _PAGE)
        while log and log[-1].seq > after:
            for place, message in enumerate(log):
                if message.seq > after:
                    earlier = log[max(0, place - CONTEXT) : place]
                    waiting += self._deliveries(row, message, earlier)
            after = log[-1].seq
            if len(waiting) >= _WAITING_MAX:
                await self._write(waiting)
                waiting.clear()
            more = await self._store.history(row.id, after=after, limit=_PAGE)
            log = [*log[-CONTEXT:], *more]
        return after

    async def _beginning(self, row: Conversation) -> Seq:
        """Return the last seq that is older than what must be told."""
        before = Seq(row.last_seq + 1)
        while before > 1:
            page = await self._store.history(row.id, before=before, limit=_PAGE)
            old = [message.seq for message in page if message.at < self._since]
            if old or not page:
                return old[-1] if old else Seq(0)
            before = page[0].seq
        return Seq(0)

    def _deliveries(
        self, row: Conversation, message: Message, earlier: Sequence[Message]
    ) -> list[WebhookDelivery]:
        found: list[WebhookDelivery] = []
        for event in events_of(message, earlier):
            for hook in self._hooks:
                if message.at < hook.told_from:
                    continue
                if is_wanted(hook, event, row.site_id):
                    found.append(self._delivery(hook, event, row, message))
        return found

    def _delivery(
        self, hook: Webhook, event: HookEvent, row: Conversation, message: Message
    ) -> WebhookDelivery:
        return delivery_of(
            hook,
            event,
            self._ids.new(),
            source=f"{event.value}:{row.id}:{message.seq}",
            site_id=row.site_id,
            at=message.at,
            now=UnixMs(self._now_ms()),
            content=message_content(row, message),
        )

    async def _write(self, deliveries: Sequence[WebhookDelivery]) -> None:
        for start in range(0, len(deliveries), _AT_ONCE):
            some = deliveries[start : start + _AT_ONCE]
            began = self._now()
            try:
                await self._store.put_records(*some)
            except Conflict:
                # Some were written by another node, or before a restart.
                await self._write_others(some)
            await anyio.sleep(min(_REST_S_MAX, self._now() - began))
        if deliveries:
            self._told()

    async def _write_others(self, deliveries: Sequence[WebhookDelivery]) -> None:
        """Write those that are not there."""
        found = await self._store.list_records(
            WebhookDelivery,
            where={
                "webhook_id": list({each.webhook_id for each in deliveries}),
                "source": list({each.source for each in deliveries}),
            },
            limit=500,
        )
        there = {(each.webhook_id, each.source) for each in found}
        for delivery in deliveries:
            if (delivery.webhook_id, delivery.source) not in there:
                try:
                    await self._store.put_records(delivery)
                except Conflict:
                    pass  # Written in this moment.
