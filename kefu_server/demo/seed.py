"""A dozen conversations for the demo, from the public chatterbot-corpus texts.

They go through the same append as any message. Only the clock is the demo's own, so
that the history lies in the past weeks; one visitor has come back again and again.
"""

import random
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from kefu_core.abc.store import Store
from kefu_core.errors import ConfigurationError
from kefu_core.ids import IdGenerator, agent_participant, visitor_participant
from kefu_core.model import Agent, Cursor, Draft, MessageKind, Person, Role, Site
from kefu_core.types import ConversationId, ParticipantId, Seq

_TOPICS = {
    "chinese": ("conversations", "greetings", "food", "movies", "money", "sports"),
    "english": ("tech_support", "coding", "food", "computers", "money", "movies"),
}
_NAMES = (
    *("林晓", "王芳", "陈思远", "李娜", "赵一鸣", "周婷"),
    *("Emma Clarke", "James Okafor", "Sofia Rossi", "Liam Murphy", "Ada", "Noah Berg"),
)
_LABELS = {
    "money": "价格",
    "food": "商品",
    "movies": "售后",
    "sports": "物流",
    "tech_support": "support",
    "computers": "support",
}
_CHARS_MAX = 400
_EXCHANGES = 4
_RETURNS = 6
_DAY_MS = 86_400_000


class DemoClock:
    """Unix milliseconds that the seeding moves along by itself."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Return the time of the demo."""
        return self.now_ms


async def seed(
    store: Store, site: Site, agent: Agent, clock: DemoClock, rng: random.Random
) -> int:
    """Store the conversations; return how many. The store must use `clock`."""
    ids = IdGenerator(clock)
    end = clock.now_ms
    talks = list(_talks())
    for index, (name, (topic, pairs)) in enumerate(zip(_NAMES, talks, strict=False)):
        # Oldest first, three weeks back; the last one ended minutes ago.
        newer = len(talks) - index
        age = newer * newer * (_DAY_MS // 7)
        clock.now_ms = end - age - 600_000
        visitor = Person(
            id=visitor_participant(ids.new()), name=name, role=Role.VISITOR
        )
        row = await store.open_conversation(site.id, visitor)
        talk = _Talk(store, row.id, visitor.id, agent_participant(agent.id), clock, rng)
        if newer <= 2:
            # Nobody has taken these yet.
            await talk.ask([question for question, _ in pairs[:2]])
        else:
            # Two more have an agent and wait for an answer.
            await talk.hold(pairs[:_EXCHANGES], is_waiting=newer <= 4)
        for start in range(_EXCHANGES, len(pairs), _EXCHANGES):
            clock.now_ms += 2 * _DAY_MS + rng.randrange(_DAY_MS // 4)
            await talk.hold(pairs[start : start + _EXCHANGES], is_waiting=False)
        if topic in _LABELS and newer > 2:
            labels = {"labels": [_LABELS[topic]]}
            await talk.write(talk.agent, MessageKind.LABELS, "", labels)
        if index < 6:
            await talk.write(talk.agent, MessageKind.CLOSE, "", None)
    clock.now_ms = end
    return len(talks)


class _Talk:
    """Writes one conversation, with seconds between its messages."""

    def __init__(
        self,
        store: Store,
        conversation: ConversationId,
        visitor: ParticipantId,
        agent: ParticipantId,
        clock: DemoClock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._conversation = conversation
        self.visitor = visitor
        self.agent = agent
        self._clock = clock
        self._rng = rng
        self._count = 0

    async def ask(self, questions: list[str]) -> None:
        for question in questions:
            await self.write(self.visitor, MessageKind.TEXT, question, None)

    async def hold(self, pairs: list[tuple[str, str]], *, is_waiting: bool) -> None:
        last = Seq(0)
        for index, (question, reply) in enumerate(pairs):
            last = await self.write(self.visitor, MessageKind.TEXT, question, None)
            if is_waiting and index == len(pairs) - 1:
                break
            if self._count == 1:
                data = {"assignee": self.agent}
                await self.write(self.agent, MessageKind.ASSIGNMENT, "", data)
            last = await self.write(self.agent, MessageKind.TEXT, reply, None)
        read = Seq(last - 1) if is_waiting else last
        await self._store.advance_cursors(
            [
                Cursor(
                    conversation=self._conversation,
                    participant=who,
                    delivered=seen,
                    read=seen,
                )
                for who, seen in ((self.visitor, last), (self.agent, read))
            ]
        )

    async def write(
        self,
        sender: ParticipantId,
        kind: MessageKind,
        body: str,
        data: dict[str, Any] | None,
    ) -> Seq:
        self._clock.now_ms += self._rng.randrange(5_000, 70_000)
        self._count += 1
        draft = Draft(
            conversation=self._conversation,
            sender=sender,
            key=f"seed-{self._count}",
            kind=kind,
            body=body,
            data=data,
        )
        return (await self._store.append(draft)).message.seq


def _talks() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each topic and a list of (question, reply); the first one is long."""
    count = _EXCHANGES * _RETURNS
    for language, topics in _TOPICS.items():
        for topic in topics:
            pairs = _pairs(language, topic)
            # From the middle: corpora begin with their shortest lines.
            start = max(0, len(pairs) // 2 - _EXCHANGES)
            yield topic, pairs[start : start + count]
            count = _EXCHANGES


def _pairs(language: str, topic: str) -> list[tuple[str, str]]:
    try:
        import yaml

        folder: Traversable = files("chatterbot_corpus") / "data" / language
        tree = yaml.safe_load((folder / f"{topic}.yml").read_text("utf-8"))
    except ImportError as error:
        raise ConfigurationError(
            "The demo's conversations are missing; run: "
            "pip install chatterbot-corpus PyYAML"
        ) from error
    talks = msgspec.convert(tree["conversations"], list[list[object]])
    lines = [[str(line).strip() for line in talk] for talk in talks]
    # A question stands in the corpus once for each reply: the last one is kept.
    replies = {
        talk[0]: talk[1]
        for talk in lines
        if len(talk) > 1 and all(0 < len(line) <= _CHARS_MAX for line in talk[:2])
    }
    return list(replies.items())
