"""The load of a comparison: visitors and agents of any target, in one process.

Run as `python -m benchmarks.compare.load PLAN.json`. Commands come as lines on standard
input, reports go as JSON lines to standard output: `ready` when everybody is connected;
`go` starts the talk; `measure` and `mark` report the counts; `cut` cuts some off;
`stop` ends the talk, waits until all is at rest, and reports what is missing then.
"""

import asyncio
import gc
import random
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.compare.dialects.kefu import KefuPerson
from benchmarks.compare.dialects.socketio import SocketIoPerson
from benchmarks.compare.dialects.xmpp import XmppPerson
from benchmarks.compare.people import Person, now
from benchmarks.compare.wire import Wire
from benchmarks.texts import load_texts

DIALECTS: dict[str, type[Person]] = {
    "kefu": KefuPerson,
    "socketio": SocketIoPerson,
    "xmpp": XmppPerson,
}
TICK_S = 0.05
CONNECTING_AT_ONCE = 20
CUT_SHARE = 0.1
"""Of the people, with each `cut`; every second of them without a word."""
HALF_OPEN_S = 5.0
"""How long the server may believe in a connection that was left without a word."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is to do."""

    dialect: str
    url: str
    visitors: dict[str, str]
    """Names, and the token or password of each."""
    agents: dict[str, str]
    addresses: list[str]
    """To dial from, so that the limit of an address stays on."""
    rate: float = 0.0
    """Messages a second; 0: each side answers the other at once."""
    keeps: bool = False
    """Who was away uses what the target has for them."""
    rest_s: float = 15.0
    """When nothing more is expected after the talk: nothing came for so long."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the program that started the load."""

    state: str
    """ready, counts or done."""
    at: float
    cpu_s: float
    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    latencies_ms: list[float] = []
    """On `done`: from `say` to the other side's display, since `measure`."""
    cuts: int = 0
    away: int = 0
    """On `done`: people who did not come back."""
    unanswered: int = 0
    """Messages that were neither acknowledged nor refused."""
    lost: int = 0
    """Acknowledged, and never shown to the other side."""
    doubled: int = 0
    errors: dict[str, int] = {}


class Said:
    """What became of one message."""

    __slots__ = ("is_acknowledged", "reader", "room", "sent_at", "shown")

    def __init__(self, reader: Person, room: Any, sent_at: float) -> None:
        """Note who is to read it."""
        self.reader = reader
        self.room = room
        self.sent_at = sent_at
        self.is_acknowledged = False
        self.shown = 0


class Load:
    """Everybody."""

    def __init__(self, plan: Plan) -> None:
        """Prepare; `run` does it."""
        self.plan = plan
        self.rng = random.Random(7)
        self.errors: Counter[str] = Counter()
        self.said: dict[str, Said] = {}
        self.sent = self.acknowledgements = self.delivered = 0
        self.doubled = self.cuts = 0
        self.latencies_ms: list[float] = []
        self.is_talking = self.is_measuring = False
        texts = load_texts()
        self.rng.shuffle(texts)
        self.texts = cycle(texts)
        addresses = cycle(plan.addresses)
        kind = DIALECTS[plan.dialect]
        self.visitors, self.agents = (
            [
                kind(self, plan.url, name, secret, next(addresses), keeps=plan.keeps)
                for name, secret in side.items()
            ]
            for side in (plan.visitors, plan.agents)
        )
        self.everybody = [*self.visitors, *self.agents]
        self.lanes: list[tuple[Any, Person, Person]] = []
        self.others: dict[tuple[int, Any], Person] = {}
        """Who is at the other end, by the person's identity and the room."""
        self.forsaken: list[tuple[float, Wire]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    # -- what people tell --------------------------------------------------------------

    def acknowledged(self, key: str) -> None:
        """The server said that it has a message."""
        said = self.said.get(key)
        if said is not None and not said.is_acknowledged:
            said.is_acknowledged = True
            self.acknowledgements += 1

    def shown(self, person: Person, key: str) -> None:
        """A message of the other side was displayed; in closed loop it is answered."""
        said = self.said.get(key)
        if said is None or said.reader is not person:
            return  # A greeting of the desk.
        said.shown += 1
        if said.shown > 1:
            self.doubled += 1
            return
        self.delivered += 1
        if self.is_measuring:
            self.latencies_ms.append((now() - said.sent_at) * 1_000)
        if self.is_talking and not self.plan.rate:
            self._say(person, said.room)

    def ended(self, person: Person) -> None:
        """The server ended a live connection; whoever it was comes back."""
        self.errors["connection ended by the server"] += 1
        self._start(person.come_back())

    def _say(self, person: Person, room: Any) -> None:
        self.sent += 1
        key = str(self.sent)
        self.said[key] = Said(self.others[id(person), room], room, now())
        person.say(room, key, f"{next(self.texts)} #{key}")

    # -- the run -----------------------------------------------------------------------

    async def run(self) -> None:
        """Connect everybody, obey the commands, report what is missing."""
        ticking = asyncio.create_task(self._tick())
        await self._connect()
        gc.freeze()  # What was made until now stays: not to be looked at again.
        self.report("ready")
        await self._obey()
        self.is_talking = self.is_measuring = False
        await self._rest()
        ticking.cancel()
        said = self.said.values()
        self.report(
            "done",
            latencies_ms=self.latencies_ms,
            away=sum(not person.is_live for person in self.everybody),
            unanswered=sum(not each.is_acknowledged for each in said),
            lost=sum(each.is_acknowledged and not each.shown for each in said),
        )

    async def _connect(self) -> None:
        limit = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def enter(person: Person) -> None:
            async with limit:
                await person.connect()

        async def pair(number: int, visitor: Person) -> None:
            async with limit:
                agent = self.agents[number % len(self.agents)]
                await visitor.meet(agent, number)
            room = visitor.rooms[0]
            self.lanes.append((room, visitor, agent))
            self.others[id(visitor), room] = agent
            self.others[id(agent), room] = visitor

        async with asyncio.TaskGroup() as tasks:
            for person in self.everybody:
                tasks.create_task(enter(person))
        if not self.agents:
            return  # At rest: there is nobody to talk to.
        async with asyncio.TaskGroup() as tasks:
            for number, visitor in enumerate(self.visitors):
                tasks.create_task(pair(number, visitor))

    async def _obey(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            match line.strip():
                case "go":
                    self.is_talking = True
                    if self.plan.rate:
                        self._start(self._talk_at_rate())
                    else:
                        for room, visitor, _ in self.lanes:
                            self._say(visitor, room)
                case "measure":
                    self.is_measuring = True
                    self.report("counts")
                case "mark":
                    self.report("counts")
                case "cut":
                    self._cut()
                case _:  # `stop`, or the program that started us is gone.
                    return

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _talk_at_rate(self) -> None:
        """Send at a fixed pace, whether answers come or not; who is away is silent."""
        sides = [(person, room) for room, *both in self.lanes for person in both]
        self.rng.shuffle(sides)
        turn = cycle(sides)
        started, done = now(), 0
        while self.is_talking:
            due = int((now() - started) * self.plan.rate)
            for _ in range(due - done):
                person, room = next(turn)
                if person.is_live:
                    self._say(person, room)
            done = due
            await asyncio.sleep(0.01)

    def _cut(self) -> None:
        """Cut some off; they come back by themselves."""
        live = [person for person in self.everybody if person.is_live]
        count = min(len(live), max(2, int(len(self.everybody) * CUT_SHARE)))
        for number, person in enumerate(self.rng.sample(live, count)):
            is_told = number % 2 == 0
            wire = person.cut(is_told=is_told)
            if wire is not None and not is_told:
                self.forsaken.append((now() + HALF_OPEN_S, wire))
            self.cuts += 1
            self._start(person.come_back())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for person in self.everybody:
                person.tick()
            while self.forsaken and self.forsaken[0][0] <= now():
                self.forsaken.pop(0)[1].reset()

    async def _rest(self) -> None:
        """Wait until everybody is back, and every message answered and shown."""
        before, changed_at = -1, now()
        while self.tasks or self.acknowledgements + self.delivered < 2 * self.sent:
            after = self.acknowledgements + self.delivered
            if after != before or self.tasks:
                before, changed_at = after, now()
            elif now() - changed_at > self.plan.rest_s:
                return
            await asyncio.sleep(0.05)

    def report(self, state: str, **fields: Any) -> None:
        """Write one line to the program that started us."""
        report = Report(
            state=state,
            at=now(),
            cpu_s=time.process_time(),
            sent=self.sent,
            acknowledged=self.acknowledgements,
            delivered=self.delivered,
            doubled=self.doubled,
            cuts=self.cuts,
            errors=dict(self.errors.most_common(5)),
            **fields,
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


def main(path: Path) -> None:
    """Run one plan."""
    plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Load(plan).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
