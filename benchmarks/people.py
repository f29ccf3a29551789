"""Gives the talkers of a generator the habits of people.

At a rate, each conversation has a clock of its own: when its next message is due was
decided before, whether or not the last one was answered, and a message's time counts
from when it was due. A generator that waited for a slow server would ask it for less,
and hide how slow it is. Without a rate each side answers the other at once.

Somebody types before a message, for as long as its length takes; whoever is shown one
has read it some moments later; visitors look at other pages of the site meanwhile.
"""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.abc import TaskGroup

from benchmarks.pages import Page, stays
from benchmarks.texts import Speech
from kefu_core.protocol.frames import MessageFrame

if TYPE_CHECKING:
    from benchmarks.generator import Load, Talker

CHARS_PER_S = {"zh": 2.5, "en": 6.0}
"""How fast people type."""
TYPING_MAX_S = 12.0
TYPING_EVERY_S = 2.5
"""As the widget tells it."""
READ_S = (0.5, 4.0)
"""From when a message is shown until somebody has read it."""
HURRY = 0.2
"""Between two messages of a conversation lies this much of the mean at least."""
AGAIN = 0.35
"""How often somebody says two things in a row."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What the people of a plan do besides talking."""

    site: str
    """The embed key for which their pages report."""
    port: int
    """Where the pages report."""
    page_s: float = 30.0
    """How long a visitor stays on a page, on average."""


class People:
    """All people of one process."""

    def __init__(self, load: "Load", manners: Manners) -> None:
        """Prepare; `start` lets them begin."""
        self._load = load
        self._manners = manners
        self._rng = random.Random(f"people of {load.plan.name}")
        self._speech: dict[int, Speech] = {}
        self._tasks: TaskGroup | None = None
        self.pages = self.pages_failed = 0
        """Reports of pages so far, and those that were not taken."""

    def start(self, tasks: TaskGroup) -> None:
        """Let everybody talk and look around, in tasks of this group."""
        self._tasks = tasks
        agents = {
            conversation: agent
            for agent in self._load.agents
            for conversation in agent.conversations
        }
        for visitor in self._load.visitors:
            tasks.start_soon(self._browse, visitor)
            (conversation,) = visitor.conversations
            self._speech[conversation] = Speech(random.Random(self._rng.random()))
            if self._load.plan.rate:
                sides = {False: visitor, True: agents[conversation]}
                tasks.start_soon(self._converse, sides, conversation)
            else:
                self.answer(visitor, conversation)

    def shown(self, talker: "Talker", frame: MessageFrame) -> None:
        """Have somebody read what was just shown."""
        if self._tasks is None or frame.sender == talker.client.me:
            return
        if self._load.plan.rate:
            self._tasks.start_soon(self._read, talker, frame)
        else:
            talker.client.read(frame.conversation, frame.seq)

    def answer(self, talker: "Talker", conversation: int) -> None:
        """Say something at once, as closed loops do."""
        is_agent = talker in self._load.agents
        talker.client.typing(conversation)
        talker.say(conversation, self._speech[conversation].next(is_agent=is_agent))

    async def _read(self, talker: "Talker", frame: MessageFrame) -> None:
        await anyio.sleep(self._rng.uniform(*READ_S))
        talker.client.read(frame.conversation, frame.seq)

    async def _converse(
        self, sides: Mapping[bool, "Talker"], conversation: int
    ) -> None:
        """Say what is due when it is due, on both sides, until the talk ends."""
        load, rng = self._load, random.Random(self._rng.random())
        speech = self._speech[conversation]
        mean_s = len(load.visitors) / load.plan.rate
        is_agent = False
        # They have been talking for long, so that the rate is there from the start.
        due = load.now() - rng.uniform(4.0, 5.0) * mean_s
        while due < load.now():
            pause_s = self._pause_s(rng, mean_s)
            due += pause_s
        while load.is_talking:
            body = speech.next(is_agent=is_agent)
            talker = sides[is_agent]
            typing_s = min(
                TYPING_MAX_S, 0.8 * pause_s, len(body) / CHARS_PER_S[speech.language]
            )
            await self._type(talker, conversation, due - typing_s, due)
            if not load.is_talking:
                return
            talker.say(conversation, body, due=due)
            pause_s = self._pause_s(rng, mean_s)
            due += pause_s
            is_agent ^= rng.random() >= AGAIN

    @staticmethod
    def _pause_s(rng: random.Random, mean_s: float) -> float:
        return mean_s * (HURRY + (1 - HURRY) * rng.expovariate(1.0))

    async def _type(
        self, talker: "Talker", conversation: int, begin: float, end: float
    ) -> None:
        """Be seen typing from one moment to another; returns at the other."""
        now = self._load.now
        while begin < end and self._load.is_talking:
            await anyio.sleep(max(0.0, begin - now()))
            talker.client.typing(conversation)
            begin += TYPING_EVERY_S
        await anyio.sleep(max(0.0, end - now()))

    async def _browse(self, visitor: "Talker") -> None:
        """Go from page to page until cancelled."""
        rng = random.Random(self._rng.random())
        page_s = self._manners.page_s
        page = Page(
            self._manners.port,
            site=self._manners.site,
            name=visitor.process,
            address=visitor.address,
            token=visitor.token,
        )
        await anyio.sleep(rng.uniform(0.0, page_s))
        try:
            while True:
                path = f"/tea/{rng.randrange(10_000)}?colour=green"
                for stay_s in stays(rng.uniform(0.5, 1.5) * page_s):
                    await self._report(page, path)
                    await anyio.sleep(stay_s)
        finally:
            page.close()

    async def _report(self, page: Page, path: str) -> None:
        self.pages += 1
        try:
            self.pages_failed += await page.report(path, "Tea of the spring") != 200
        except (OSError, EOFError, TimeoutError):
            self.pages_failed += 1
