"""The people of `incident` and `soak`: visitors come, talk and go; agents have shifts.

Run as `python -m benchmarks.everybody PLAN.json`. Reports go as JSON lines to standard
output, one a second; a conversation that is over goes into a file that the report
names, and out of memory. A line on standard input, or its end, lets everybody finish.
"""

import math
import os
import random
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import anyio
import msgspec
import psutil
import uvloop
from anyio.abc import TaskGroup

from benchmarks.door import Door
from benchmarks.network import HOST, Network, NetworkPlan, bad_network
from benchmarks.person import Ears, Listening, Person, Talk
from benchmarks.texts import load_texts
from kefu_core.client import Client
from kefu_core.protocol.frames import MessageFrame
from kefu_core.transports.registry import find_transport

now = time.monotonic
TRANSPORTS = ("websocket", "longpoll", "tcp")
TRANSPORT_WEIGHTS = (50, 30, 20)
TICK_S = 1.0
LOOK_S = 0.1
BATCH_TICKS = 5
GAP_S = 5.0
"""The next visitor comes so long after one has left, on the average."""
SECOND_TABS, SLOW, RETURNS = 0.1, 0.05, 0.02
"""Shares: of visitors with a second tab, of connections that read slowly, and of
messages before which the visitor's page is closed and opened again."""
HOSTS = 200
OPENED_MAX = 50
"""Conversations that an address opens in an hour; it may 60."""
CLOSES_MAX = 100
"""Different reasons that are counted; they may hold texts of the system."""
STUCK_MAX = 20


class PeoplePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of people is to do; times in seconds, on the average."""

    seed: int
    http_port: int
    tcp_port: int
    site: str
    """Embed key."""
    visitors: int
    agents: list[str]
    """Logins."""
    password: str
    folder: str
    pace_s: float = 20.0
    """Between two messages of a visitor."""
    answer_s: float = 4.0
    """Until an agent answers."""
    stay_s: float = 300.0
    """How long a visitor stays: half as long to half as long again."""
    shift_s: float = 300.0
    """The same of an agent between login and logout; 0: for good."""
    break_s: float = 20.0
    ramp_s: float = 30.0
    """In so long all have come for the first time."""
    rest_s: float = 180.0
    """So long what is said last in a conversation may take to be with everybody."""
    network: NetworkPlan | None = None
    """None: everybody dials the server itself."""


class PeopleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the program that started the people: sums since the beginning."""

    state: str
    """tick, or done."""
    at: float
    cpu_s: float
    files: int
    """Open ones of this process now."""
    people: int
    live: int
    """Of them, connected now."""
    talks: int
    """Conversations that go on now."""
    over: int
    sent: int
    acknowledged: int
    shown: int
    refused: dict[str, int]
    said: int
    """By visitors."""
    talk_s: float
    """Time that visitors have spent talking, all together."""
    silence_s: float
    """The longest of a connected client."""
    silent: str
    away_s: float
    """The longest time without a connection of anybody who wanted one."""
    late_s: float
    """The latest that this process itself came to what was due."""
    memory_mib: float
    """Of this process, now."""
    faults: dict[str, int]
    closes: dict[str, int]
    stuck: list[str]
    """Conversations that did not come to rest, and who lacked what."""
    batch: str = ""
    """A file with the histories of conversations that are over."""
    waits: dict[int, int] = {}
    """From send to the other side's display, by `wait_bucket`."""
    wait_max_s: float = 0.0


def wait_bucket(seconds: float) -> int:
    """Return the bucket of a wait: each is a tenth longer than the one before."""
    return round(math.log(max(seconds, 1e-4)) / math.log(1.1))


def wait_of(bucket: int) -> float:
    """Return the seconds that a bucket stands for."""
    return float(1.1**bucket)


class Seat:
    """An agent's account: somebody, or nobody while it is logged out."""

    def __init__(self, login: str, address: str) -> None:
        """Begin logged out."""
        self.login = login
        self.address = address
        self.person: Person | None = None
        self.talks: set[Talk] = set()
        self.shifts = 0


class Everybody:
    """Everybody of one process."""

    def __init__(self, plan: PeoplePlan) -> None:
        """Prepare; `run` does it."""
        self.plan = plan
        self.now = now
        self.talks: dict[int, Talk] = {}
        self.sent = self.acknowledged = self.shown = 0
        self.away_s = 0.0
        self._over: list[Talk] = []
        self._over_count = self._said = 0
        self._talk_s = self._late_s = self._wait_max_s = 0.0
        self._waits: Counter[int] = Counter()
        self._closes: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._stuck: list[str] = []
        self._batches = 0
        self._persons: set[Person] = set()
        self._ears = Ears(now)
        self._self = psutil.Process()
        self._stopping = anyio.Event()
        self._empty = anyio.Event()
        self._network: Network | None = None
        self._door = Door(plan.http_port, plan.site, plan.password)
        self._rng = random.Random(f"{plan.seed} people")
        texts = load_texts()
        self._rng.shuffle(texts)
        self._texts = cycle(texts)
        self._seats = [
            Seat(login, f"127.1.{number // HOSTS}.{1 + number % HOSTS}")
            for number, login in enumerate(plan.agents)
        ]
        self._tasks: TaskGroup

    # -- what persons tell -------------------------------------------------------------

    def note_close(self, reason: str) -> None:
        """Count why a connection ended."""
        known = reason in self._closes or len(self._closes) < CLOSES_MAX
        self._closes[reason if known else "other"] += 1

    def note_refused(self, code: str) -> None:
        """Count a message that will never be stored."""
        self._refused[code] += 1

    def left(self, person: Person) -> None:
        """Count somebody no longer."""
        self._persons.discard(person)

    def delivered(
        self, person: Person, talk: Talk, frame: MessageFrame, at: float
    ) -> None:
        """Note that the other side has a message; agents answer visitors."""
        key = frame.body.rpartition("#")[2]
        sent_at = talk.sent_at.pop(key, None)
        if sent_at is None:
            return  # Shown before, in another tab or another shift.
        self._waits[wait_bucket(at - sent_at)] += 1
        self._wait_max_s = max(self._wait_max_s, at - sent_at)
        seat = self._seat_of(person)
        if seat is not None and frame.seq > talk.answered and not talk.is_ending:
            talk.answered = frame.seq
            self._tasks.start_soon(self._answer, seat, talk)

    def _seat_of(self, person: Person) -> Seat | None:
        for seat in self._seats:
            if seat.person is person:
                return seat
        return None

    async def _answer(self, seat: Seat, talk: Talk) -> None:
        await self._pause(self._rng.expovariate(1 / self.plan.answer_s))
        if seat.person is not None and not talk.is_ending:
            seat.person.say(talk, next(self._texts))

    # -- the run -----------------------------------------------------------------------

    async def run(self) -> None:
        """Let everybody come, until the word; then let everybody finish."""
        plan = self.plan
        async with AsyncExitStack() as stack:
            if plan.network is not None:
                rng = random.Random(f"{plan.seed} network")
                ports = plan.http_port, plan.tcp_port
                self._network = await stack.enter_async_context(
                    bad_network(plan.network, *ports, rng)
                )
            await self._live_through_it()
        self._report("done", batch=self._flush(), waits=dict(self._waits))

    async def _live_through_it(self) -> None:
        plan = self.plan
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if self._network is not None:
                tasks.start_soon(self._misbehave, self._network)
            tasks.start_soon(self._tick)
            tasks.start_soon(self._obey)
            for seat in self._seats:
                tasks.start_soon(self._work, seat)
            async with anyio.create_task_group() as visitors:
                for number in range(plan.visitors):
                    visitors.start_soon(self._place, number)
            self._empty.set()
            for person in list(self._persons):
                person.leave()
            tasks.cancel_scope.cancel()

    async def _obey(self) -> None:
        await anyio.wait_readable(sys.stdin.fileno())
        self._stopping.set()

    async def _misbehave(self, network: Network) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(network.misbehave)
            await self._stopping.wait()
            tasks.cancel_scope.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the word."""
        with anyio.move_on_after(seconds):
            await self._stopping.wait()

    async def _enter(
        self, name: str, token: str, address: str, rng: random.Random
    ) -> Person:
        """Let somebody connect, by a transport and a way drawn at random."""
        kind = rng.choices(TRANSPORTS, TRANSPORT_WEIGHTS)[0]
        is_slow = rng.random() < SLOW
        plan = self.plan
        ports = (
            self._network.ports(is_slow=is_slow)
            if self._network is not None
            else (plan.http_port, plan.tcp_port)
        )
        url = {
            "websocket": f"ws://{HOST}:{ports[0]}/kefu/ws",
            "longpoll": f"http://{HOST}:{ports[0]}/kefu/poll",
            "tcp": f"tcp://{HOST}:{ports[1]}",
        }[kind]
        whose = f"{name} by {kind}{', which reads slowly' if is_slow else ''}"
        client = Client(
            url,
            transport=Listening(find_transport(kind), self._ears, whose),
            token=token,
            local_host=address,
            name="kefu-benchmark",
        )
        person = Person(self, name, client)
        self._persons.add(person)
        await self._tasks.start(person.run)
        return person

    # -- agents ------------------------------------------------------------------------

    async def _work(self, seat: Seat) -> None:
        """Log in and out until all visitors have gone."""
        rng = random.Random(f"{self.plan.seed} {seat.login}")
        while not self._empty.is_set():
            seat.shifts += 1
            token = await self._door.log_in(seat.login, seat.address)
            name = f"{seat.login}.{seat.shifts}"
            person = await self._enter(name, token, seat.address, rng)
            # Before the welcome it does not know who it is, which the judge asks.
            await person.welcomed()
            seat.person = person
            for talk in list(seat.talks):
                await person.join(talk)
            shift_s = self.plan.shift_s * rng.uniform(0.5, 1.5) or math.inf
            await self._pause(shift_s)
            if self._stopping.is_set():
                await self._empty.wait()
                return
            seat.person = None
            await self._door.log_out(token, seat.address)
            person.leave()
            await self._pause(rng.uniform(0.5, 1.5) * self.plan.break_s)

    async def _by_agent(self, talk: Talk, seat: Seat, method: str) -> bool:
        """Have the agent do something, now or on its next shift; whether it did."""
        with anyio.move_on_after(self.plan.rest_s):
            while True:
                person = seat.person
                if person is not None:
                    await person.join(talk)
                    found = await person.call(method, conversation=talk.conversation)
                    if found is not None:
                        # The desk wrote a line: it too is to be with everybody.
                        told = found["conversation"]["last_seq"]
                        talk.head = max(talk.head, told)
                        return True
                await anyio.sleep(LOOK_S)
        self._note_stuck(talk, f"{method} by {seat.login} was not answered")
        return False

    # -- visitors ----------------------------------------------------------------------

    async def _place(self, number: int) -> None:
        """Let one visitor after another come."""
        rng = random.Random(f"{self.plan.seed} visitor {number}")
        # From no more addresses than that takes: the server remembers some thousands.
        nets = math.ceil(3_600 / (self.plan.stay_s / 2 + GAP_S) / OPENED_MAX)
        await self._pause(rng.uniform(0.0, self.plan.ramp_s))
        visits = 0
        while not self._stopping.is_set():
            net = 2 + visits % nets
            address = f"127.{net}.{number // HOSTS}.{1 + number % HOSTS}"
            visits += 1
            await self._visit(f"v{number}.{visits}", address, rng)
            await self._pause(rng.expovariate(1 / GAP_S))

    async def _visit(self, name: str, address: str, rng: random.Random) -> None:
        token = await self._door.visitor_token(address)
        visitor = await self._enter(f"{name}.1", token, address, rng)
        opened = await visitor.call("conversation.open")
        assert opened is not None, "nobody ends a visitor's session"
        talk = Talk(opened["conversation"]["id"])
        self.talks[talk.conversation] = talk
        seat = min(self._seats, key=lambda seat: (len(seat.talks), rng.random()))
        seat.talks.add(talk)
        await visitor.join(talk)
        people = [visitor]
        if rng.random() < SECOND_TABS:
            tab = await self._enter(f"{name}.tab", token, address, rng)
            await tab.join(talk)
            people.append(tab)
        if await self._by_agent(talk, seat, "conversation.take"):
            people[0] = await self._chat(talk, visitor, (name, token, address), rng)
        await self._end(talk, seat)
        for person in people:
            person.leave()

    async def _chat(
        self, talk: Talk, visitor: Person, who: tuple[str, str, str], rng: random.Random
    ) -> Person:
        """Talk until it is time to go; return whose page is open then."""
        name, token, address = who
        pages = 1
        go_at = now() + rng.uniform(0.5, 1.5) * self.plan.stay_s
        while not self._stopping.is_set():
            began = now()
            await self._pause(min(rng.expovariate(1 / self.plan.pace_s), go_at - began))
            self._talk_s += now() - began
            if now() >= go_at or self._stopping.is_set():
                break
            if rng.random() < RETURNS:
                visitor.leave()
                await self._pause(rng.uniform(1.0, 10.0))
                pages += 1
                visitor = await self._enter(f"{name}.{pages}", token, address, rng)
                await visitor.join(talk)
            visitor.say(talk, next(self._texts))
            self._said += 1
        return visitor

    async def _end(self, talk: Talk, seat: Seat) -> None:
        """Come to rest, close the conversation, and hand its history over."""
        talk.is_ending = True
        if await self._rest(talk) and await self._by_agent(
            talk, seat, "conversation.close"
        ):
            await self._rest(talk)
        for person in talk.present:
            person.forget(talk)
        talk.present.clear()
        talk.is_over = True
        seat.talks.discard(talk)
        del self.talks[talk.conversation]
        self._over.append(talk)
        self._over_count += 1

    async def _rest(self, talk: Talk) -> bool:
        """Wait until everybody who is there has everything; whether it came to that."""
        with anyio.move_on_after(self.plan.rest_s):
            while talk.lacking:
                await anyio.sleep(LOOK_S)
            return True
        self._note_stuck(talk, "; ".join(talk.lacking))
        return False

    def _note_stuck(self, talk: Talk, text: str) -> None:
        if len(self._stuck) < STUCK_MAX:
            last = "".join(
                f"\n  {record.at:.3f} {record.process} {record.what} "
                f"seq={record.seq or '-'} key={record.key or '-'}"
                for record in talk.history.records[-STUCK_MAX:]
            )
            self._stuck.append(f"conversation {talk.conversation}: {text}{last}")

    # -- reports -----------------------------------------------------------------------

    async def _tick(self) -> None:
        due, ticks = now(), 0
        while True:
            due += TICK_S
            await anyio.sleep(max(0.0, due - now()))
            self._late_s = max(self._late_s, now() - due)
            due = max(due, now() - TICK_S)
            ticks += 1
            self._report("tick", batch="" if ticks % BATCH_TICKS else self._flush())

    def _flush(self) -> str:
        """Write what is over to a file; return its path, empty where nothing is."""
        if not self._over:
            return ""
        self._batches += 1
        path = Path(self.plan.folder) / f"{self._batches:06}.history.jsonl"
        for talk in self._over:
            talk.history.write(path)
        self._over = []
        return str(path)

    def _report(self, state: str, *, batch: str, **fields: dict[int, int]) -> None:
        report = PeopleReport(
            state=state,
            at=now(),
            cpu_s=time.process_time(),
            files=len(os.listdir("/proc/self/fd")),
            people=len(self._persons),
            live=sum(person.client.is_live for person in self._persons),
            talks=len(self.talks),
            over=self._over_count,
            sent=self.sent,
            acknowledged=self.acknowledged,
            shown=self.shown,
            refused=dict(self._refused),
            said=self._said,
            talk_s=self._talk_s,
            silence_s=self._ears.longest_s,
            silent=self._ears.whose,
            away_s=self.away_s,
            late_s=self._late_s,
            memory_mib=self._self.memory_info().rss / 2**20,
            faults=self._network.faults if self._network is not None else {},
            closes=dict(self._closes),
            stuck=self._stuck,
            batch=batch,
            wait_max_s=self._wait_max_s,
            **fields,
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


def main(path: Path) -> None:
    """Run one plan."""
    people = Everybody(msgspec.json.decode(path.read_bytes(), type=PeoplePlan))
    anyio.run(people.run, backend_options={"loop_factory": uvloop.new_event_loop})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
