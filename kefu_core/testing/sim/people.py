"""People with programs: they write, read, look back, and check all they see."""

import random
from collections.abc import Iterable
from typing import Any

import anyio
import msgspec

from kefu_core.abc.streams import FrameStream
from kefu_core.client import Client, Rejected
from kefu_core.desk.inbox import TOPIC
from kefu_core.desk.rows import agents_row, visitor_name
from kefu_core.errors import ConnectionClosed
from kefu_core.model import Draft, Message, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.protocol.events import HistoryReplaced, SendRejected
from kefu_core.testing.sim.world import World
from kefu_core.types import ConversationId, ParticipantId, Seq


class Kept(msgspec.Struct, frozen=True):
    """What a program keeps while it does not run."""

    epoch: str = ""
    cursors: dict[ConversationId, Seq] = {}
    drafts: list[Draft] = []


class Person:
    """One participant at one program; its visitor may have another."""

    def __init__(
        self,
        world: World,
        name: str,
        who: ParticipantId,
        conversations: Iterable[ConversationId],
    ) -> None:
        self.name, self.who = name, who
        self.is_visitor = who.startswith("v")
        self.conversations = list(conversations)
        self.shown: dict[ConversationId, list[f.MessageFrame]] = {}
        self.typed: dict[ConversationId, list[str]] = {}
        """Keys in the order written."""
        self.rows: dict[int, dict[str, Any]] = {}
        """The list of conversations, as an agent's console shows it."""
        self.client: Client | None = None
        self._world, self._chance = world, world.chance
        self._rng: random.Random = world.chance.rng(f"person {name}")
        self._way = self._rng.choice(("tcp", "tcp", "longpoll"))
        self._codec = self._rng.choice(("json", "msgpack"))
        self._pause_s = self._rng.choice((0.05, 0.5, 2.0))
        self._kept = Kept()
        self._unsaid: list[Draft] = []
        """Written while no program runs."""
        self._end = anyio.Event()
        self._count = 0

    # -- the program -------------------------------------------------------------------

    async def live(self) -> None:
        """Run the program, again and again, until cancelled."""
        while True:
            client = self._prepare()
            async with client:
                self.client = client
                for draft in (*self._kept.drafts, *self._unsaid):
                    self._send(client, draft)
                self._unsaid = []
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch, client)
                    tasks.start_soon(self._look_back, client)
                    tasks.start_soon(self._follow_late, client)
                    self._end = anyio.Event()
                    await self._end.wait()
                    self._keep(client)
                    tasks.cancel_scope.cancel()
                self.client = None
            await anyio.sleep(self._rng.uniform(0.0, 3.0))

    def restart(self) -> None:
        """End the program; it begins again soon."""
        self._end.set()

    def _prepare(self) -> Client:
        client = Client(
            token=self.who,
            dial=self._dial,
            name=self.name,
            rng=self._chance.rng(f"client {self.name}"),
            now=self._world.now,
        )
        client.session.epoch = self._kept.epoch
        if not self.is_visitor:
            client.session.watch(TOPIC)
        for conversation in self.conversations:
            if self._kept.epoch or self._rng.random() < 0.5:
                after = self._kept.cursors.get(conversation, Seq(0))
                client.session.follow(conversation, after)
        return client

    async def _dial(self) -> FrameStream:
        if self._chance.happens("moves", 0.5):
            self._way = self._rng.choice(("tcp", "longpoll"))
        return await self._world.dial(self.name, self._way, self._codec)

    def _keep(self, client: Client) -> None:
        """Take what came and was not looked at, then note what is held."""
        while (notice := client._notices.take_nowait()) is not None:
            self._take(notice)
        drafts = client.session.outbox.drafts()
        if self._rng.random() < 0.5:
            self.shown.clear()
            self._kept = Kept(drafts=drafts)
        else:
            cursors = {c: Seq(len(shown)) for c, shown in self.shown.items()}
            self._kept = Kept(client.session.epoch, cursors, drafts)

    async def _follow_late(self, client: Client) -> None:
        for conversation in self.conversations:
            await anyio.sleep(self._rng.uniform(0.0, 2.0))
            await client.follow(conversation, 0)

    # -- what people do ----------------------------------------------------------------

    async def talk(self, count: int) -> None:
        """Write so many messages."""
        rng = self._rng
        while count > 0:
            await anyio.sleep(rng.uniform(0.0, self._pause_s))
            if rng.random() < 0.2:
                await anyio.sleep(rng.uniform(1.0, 8.0))
            if self._chance.happens("client_restarts", 0.1):
                self.restart()
            at_once = 1
            if self._chance.happens("burst", 0.3):
                at_once = rng.choice((2, 5, 12, 40))
            conversation = rng.choice(self.conversations)
            for _ in range(at_once):
                self._write(conversation)
                count -= 1

    def _write(self, conversation: ConversationId) -> None:
        self._count += 1
        key = f"{self.name}-{self._count}"
        is_note = not self.is_visitor and self._rng.random() < 0.3
        draft = Draft(
            conversation=conversation,
            sender=self.who,
            key=key,
            kind=MessageKind.NOTE if is_note else MessageKind.TEXT,
            body=f"says {key}" + "." * self._rng.choice((0, 0, 30, 400)),
        )
        self.typed.setdefault(conversation, []).append(key)
        self._chance.note(f"{self.name} writes {key}")
        if self.client is None or self._end.is_set():
            self._unsaid.append(draft)
        else:
            self._send(self.client, draft)

    def _send(self, client: Client, draft: Draft) -> None:
        client.send_nowait(
            draft.conversation, draft.body, key=draft.key, kind=draft.kind
        )

    async def _look_back(self, client: Client) -> None:
        """Read pages of history, say what was read, and that one types."""
        rng = self._rng
        while self._chance.is_on:
            await anyio.sleep(rng.uniform(1.0, 8.0))
            conversation = rng.choice(self.conversations)
            client.typing(conversation, "…")
            shown = len(self.shown.get(conversation, ()))
            client.read(conversation, rng.randint(0, shown))
            after = rng.randint(0, shown + 1)
            try:
                page = await client.fetch(conversation, after=after, limit=1)
            except (Rejected, ConnectionClosed) as error:
                self._chance.violated(f"{self.name} may not look back: {error}")
                return
            for message in page.messages:
                self._check(conversation, message)
                if message.seq != after + 1:
                    self._chance.violated(f"{self.name} got a page with a hole")

    # -- what people see ---------------------------------------------------------------

    async def _watch(self, client: Client) -> None:
        async for event in client.events():
            self._take(event)

    def _take(self, event: Any) -> None:
        self._world.now()
        match event:
            case f.MessageFrame():
                self._show(event)
            case f.Sent():
                self._acknowledged(event)
            case f.Snapshot():
                self.rows = {row["id"]: row for row in event.rows}
            case f.Event(put=row) if row is not None:
                self.rows[row["id"]] = row
            case f.Event(drop=row_id) if row_id is not None:
                self.rows.pop(row_id, None)
            case f.TypingEvent(text=text) if text and self.is_visitor:
                self._chance.violated(f"{self.name} sees text that was not sent")
            case HistoryReplaced():
                self._chance.note(f"{self.name} forgets")
                self.shown.clear()
            case SendRejected():
                self._chance.violated(
                    f"{self.name}: {event.key} was refused: {event.text}"
                )

    def _show(self, message: f.MessageFrame) -> None:
        self._chance.note(f"{self.name} sees {message.conversation}:{message.seq}")
        shown = self.shown.setdefault(message.conversation, [])
        if message.seq != len(shown) + 1:
            self._chance.violated(
                f"{self.name} holds 1..{len(shown)} of {message.conversation} and is "
                f"shown {message.seq}"
            )
        self._check(message.conversation, message)
        shown.append(message)

    def _check(
        self, conversation: ConversationId, message: f.MessageFrame | f.PageMessage
    ) -> None:
        """Whether this was committed, and whether this person may see it."""
        ever = self._world.disk.ever
        if message.kind is MessageKind.PLACEHOLDER:
            found = any(
                at[:2] == (conversation, message.seq) and m.kind is MessageKind.NOTE
                for at, m in ever.items()
            )
            if message.body or message.key or message.data or not self.is_visitor:
                self._chance.violated(f"{self.name} got a placeholder with content")
        else:
            found = (conversation, message.seq, message.body) in ever
            if message.kind is MessageKind.NOTE and self.is_visitor:
                self._chance.violated(f"{self.name} sees a note")
        if not found:
            self._chance.violated(
                f"{self.name} sees {conversation}:{message.seq}, never committed"
            )

    def _acknowledged(self, sent: f.Sent) -> None:
        ever = self._world.disk.ever
        if not any(
            at[:2] == (sent.conversation, sent.seq) and m.key == sent.key
            for at, m in ever.items()
        ):
            self._chance.violated(
                f"{self.name}: {sent.key} is acknowledged at {sent.seq}, "
                "never committed"
            )

    # -- in the end --------------------------------------------------------------------

    def has_all(self) -> bool:
        """Whether this person holds everything and waits for nothing."""
        client = self.client
        if client is None or self._unsaid or len(client.session.outbox):
            return False
        return all(
            self._holds(c) and (self.is_visitor or self._lists(c))
            for c in self.conversations
        )

    def _holds(self, conversation: ConversationId) -> bool:
        """Whether exactly the log is shown; as many may be those of a lost history."""
        log = self._world.disk.logs.get(conversation, [])
        shown = self.shown.get(conversation, [])
        return len(shown) == len(log) and all(
            self._seen(one) == self._visible(other)
            for one, other in zip(shown, log, strict=True)
        )

    def _lists(self, conversation: ConversationId) -> bool:
        """Whether the agents' list shows a conversation as it is."""
        disk = self._world.disk
        row = disk.rows[conversation]
        name = visitor_name(row.visitor)
        expected = agents_row(row, name, disk.unread(conversation))
        expected["labels"] = list(row.labels)  # JSON has no tuples.
        return self.rows.get(conversation) == expected

    def judge(self) -> None:
        """Compare what is shown with the logs, and what was written as well."""
        for conversation in self.conversations:
            log = self._world.disk.logs.get(conversation, [])
            if not self._holds(conversation):
                self._chance.violated(f"{self.name} does not hold {conversation}")
            self._judge_typed(conversation, log)

    def _seen(self, message: f.MessageFrame) -> tuple[int, str, str]:
        return message.seq, message.sender, message.body

    def _visible(self, message: Message) -> tuple[int, str, str]:
        is_hidden = self.is_visitor and message.kind is MessageKind.NOTE
        return message.seq, message.sender, "" if is_hidden else message.body

    def _judge_typed(self, conversation: ConversationId, log: list[Message]) -> None:
        typed = self.typed.get(conversation, [])
        mine = set(typed)
        stored = [m.key for m in log if m.sender == self.who and m.key in mine]
        present = set(stored)
        lost = [k for k in typed if k not in present]
        if unexcused := set(lost) - self._world.disk.lost_keys:
            self._chance.violated(f"lost: {sorted(unexcused)}")
        if stored != [key for key in typed if key in present]:
            self._chance.violated(
                f"{self.name} wrote {typed} and {conversation} has {stored}"
            )
