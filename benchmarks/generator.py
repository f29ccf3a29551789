"""The load: visitors and agents who talk, in a process of their own.

Run as `python -m benchmarks.generator PLAN.json`. Commands come as lines on standard
input and reports go as JSON lines to standard output: `ready` when everybody is
connected; `go` starts the talk, `full` one in which each side answers the other at
once, `pause` ends it for a while; `mark` reports the counts of that moment, `window`
also the latencies since the last one; `stop` ends the sending, waits until everything
has come to rest, and writes the history.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
import uvloop

from benchmarks.counting import Counting
from benchmarks.cutting import cut_connections
from benchmarks.history import History, Reader, Record, Row, What, body_hash
from benchmarks.people import People
from benchmarks.plan import LoadError, Plan, Report
from benchmarks.texts import load_texts
from kefu_core.client import Client, ConnectionChanged, Rejected
from kefu_core.protocol.events import SendRejected
from kefu_core.protocol.frames import ErrorFrame, MessageFrame, Sent
from kefu_core.transports.registry import find_transport

now = time.monotonic
TICK_S = 0.01
LAG_EVERY_S = 0.02
ASK_AGAIN_S = 0.1
NOT_WELCOMED = "not welcomed: "
"""Before the reason for which a connection ended that was never live."""
LIVE_S = 60.0
LIVE_S_EACH = 0.3
"""What a slow machine takes to bring one more person in, over long poll."""


class Talker:
    """One client: a tab of a visitor, or an agent."""

    def __init__(
        self, load: "Load", process: str, token: str, address: str, transport: str
    ) -> None:
        """Prepare; `run` connects."""
        self.load = load
        self.process = process
        self.token = token
        self.address = address
        self.client = Client(
            load.plan.urls.get(transport, load.plan.url),
            transport=load.transports[transport],
            token=token,
            local_host=address,
            name="kefu-benchmark",
        )
        self.reader = Reader(load.history, process)
        self.told: dict[str, int] = {}
        self.told_last: Counter[int] = Counter()
        """By conversation, the newest seq of this talker's own messages."""
        self.waiting: set[str] = set()
        self.conversations: list[int] = []
        self.may_talk = True

    async def run(self) -> None:
        """Stay connected and note everything until the load ends."""
        is_live = False
        async with self.client as client:
            async for event in client.events():
                if type(event) is MessageFrame:
                    self._shown(event)
                elif type(event) is Sent:
                    self._acknowledged(event.conversation, event.key, event.seq)
                elif type(event) is SendRejected:
                    self._rejected(event)
                elif type(event) is ConnectionChanged:
                    if event.is_live:
                        self.load.came_at.append(now())
                    else:
                        which = "" if is_live else NOT_WELCOMED
                        self.load.closes[which + event.reason] += 1
                    is_live = event.is_live
                elif type(event) is ErrorFrame:
                    self.load.closes[f"error: {event.code}"] += 1

    async def ask(self) -> None:
        """Have a request answered, over whatever connection it takes."""
        while True:
            try:
                await self.client.fetch(self.conversations[0], after=0, limit=1)
            except Rejected as rejected:  # By a server that has just too much to do.
                self.load.closes[f"rejected: {rejected.code}"] += 1
                await anyio.sleep(ASK_AGAIN_S)
            else:
                return

    def say(
        self, conversation: int, text: str | None = None, *, due: float = 0.0
    ) -> None:
        """Send a text, or the next one; its time counts from when it was due."""
        load = self.load
        load.sent += 1
        key = f"{self.process}.{load.sent}"
        body = f"{text or next(load.texts)} #{key}"
        at = now()
        load.sent_at[key] = due or at
        load.history.add(
            Record(
                what=What.INVOKE,
                at=at,
                due=due,
                process=self.process,
                conversation=conversation,
                key=key,
                sender=self.client.me,
                body=body_hash(body),
            )
        )
        self.waiting.add(key)
        self.client.send_nowait(conversation, body, key=key)

    def lacks(self, heads: Mapping[int, int]) -> bool:
        """Whether a conversation of this talker is shown less far than its head."""
        return any(
            self.reader.last_seq.get(conversation, 0) < heads[conversation]
            for conversation in self.conversations
        )

    def _shown(self, frame: MessageFrame) -> None:
        at = now()
        row = Row(
            conversation=frame.conversation,
            seq=frame.seq,
            sender=frame.sender,
            key=frame.key or "",
            kind=frame.kind,
            body=frame.body,
        )
        self.reader.shown(row, at)
        if self.load.people is not None:
            self.load.people.shown(self, frame)
        if frame.key is not None:
            self._acknowledged(frame.conversation, frame.key, frame.seq)
        elif frame.sender != self.client.me and self.may_talk:
            self.load.delivered_to(self, frame, at)

    def _acknowledged(self, conversation: int, key: str, seq: int) -> None:
        if self.told.get(key) == seq:
            return  # `sent` and the own message say the same.
        if not key.startswith(f"{self.process}."):
            return  # The desk wrote it on this agent's behalf.
        if key in self.waiting:
            self.load.acknowledged += 1
        self.told[key] = seq
        self.told_last[conversation] = max(self.told_last[conversation], seq)
        self.waiting.discard(key)
        self.load.history.add(
            Record(
                what=What.OK,
                at=now(),
                process=self.process,
                conversation=conversation,
                key=key,
                seq=seq,
            )
        )

    def _rejected(self, event: SendRejected) -> None:
        self.waiting.discard(event.key)
        self.load.closes[f"rejected: {event.code}"] += 1
        self.load.history.add(
            Record(
                what=What.ERROR,
                at=now(),
                process=self.process,
                conversation=event.conversation,
                key=event.key,
            )
        )


class Load:
    """Everybody of one process."""

    def __init__(self, plan: Plan) -> None:
        """Prepare; `run` does it."""
        self.plan = plan
        self.transports = {
            name: Counting(find_transport(name))
            for name in {plan.transport, *plan.transports}
        }
        self.now: Callable[[], float] = now
        self.history = History()
        self.sent = self.acknowledged = self.delivered = 0
        self.sent_at: dict[str, float] = {}
        self.latencies_ms: list[float] = []
        self.lags_ms: list[float] = []
        self.came_at: list[float] = []
        self.closes: Counter[str] = Counter()
        self.is_talking = False
        self.is_closed = not plan.rate
        """Each side answers the other at once."""
        self.is_measuring = False
        texts = load_texts()
        random.Random(plan.name).shuffle(texts)
        self.texts = cycle(texts)
        hosts = cycle(plan.addresses)
        own = plan.transports or [plan.transport] * len(plan.visitor_tokens)
        visitors = list(zip(plan.visitor_tokens, own, strict=True))
        self.visitors = [
            Talker(self, f"{plan.name}v{number}", token, next(hosts), transport)
            for number, (token, transport) in enumerate(visitors)
        ]
        self.agents = [
            Talker(self, f"{plan.name}a{number}", token, next(hosts), plan.transport)
            for number, token in enumerate(plan.agent_tokens)
        ]
        self.tabs = [
            Talker(self, f"{plan.name}t{number}", token, next(hosts), transport)
            for number, (token, transport) in enumerate(visitors[: plan.second_tabs])
        ]
        self.everybody = [*self.visitors, *self.agents, *self.tabs]
        self.people = People(self, plan.manners) if plan.manners is not None else None

    def delivered_to(self, talker: Talker, frame: MessageFrame, at: float) -> None:
        """Note that the other side has a message; in closed loop it answers."""
        key = frame.body.rpartition("#")[2]
        sent_at = self.sent_at.pop(key, None)
        if sent_at is None:
            return  # From another process, or a greeting of the desk.
        self.delivered += 1
        if self.is_measuring:
            self.latencies_ms.append((at - sent_at) * 1_000)
        if self.is_talking and self.is_closed:
            if self.people is not None:
                self.people.answer(talker, frame.conversation)
            else:
                talker.say(frame.conversation)

    async def run(self) -> None:
        """Connect everybody, obey the commands, write the history."""
        async with anyio.create_task_group() as tasks:
            for talker in self.everybody:
                tasks.start_soon(talker.run)
            tasks.start_soon(self._watch_itself)
            await self._connect()
            self.report("ready")
            await self._obey(tasks)
            self.is_talking = self.is_measuring = False
            self.report("stopped")
            behind = await self._rest()
            for talker in self.everybody:
                talker.reader.left(now())
            tasks.cancel_scope.cancel()
        self.history.write(Path(self.plan.history))
        self.report(
            "done",
            behind=behind,
            latencies_ms=self.latencies_ms,
            lags_ms=self.lags_ms,
        )

    async def _watch_itself(self) -> None:
        """Note how late this loop is: by so much it makes everything look slower."""
        while True:
            due = now() + LAG_EVERY_S
            await anyio.sleep(LAG_EVERY_S)
            if self.is_measuring:
                self.lags_ms.append((now() - due) * 1_000)

    async def _connect(self) -> None:
        """Open the conversations; every visitor gets one agent."""
        limit = anyio.CapacityLimiter(20)

        async def pair(number: int, visitor: Talker) -> None:
            async with limit:
                await visitor.client.wait_live()
                conversation = await visitor.client.open_conversation()
                agent = self.agents[number % len(self.agents)]
                await agent.client.wait_live()
                await agent.client.call(
                    "conversation.take", {"conversation": conversation}
                )
            sides = [visitor, agent]
            if number < len(self.tabs):
                sides.append(self.tabs[number])
                self.tabs[number].may_talk = False
            for side in sides:
                side.conversations.append(conversation)
                await side.client.follow(conversation)

        within_s = LIVE_S + LIVE_S_EACH * len(self.everybody)
        with anyio.move_on_after(within_s) as scope:
            async with anyio.create_task_group() as tasks:
                for number, visitor in enumerate(self.visitors):
                    tasks.start_soon(pair, number, visitor)
        if scope.cancelled_caught:
            why = "; ".join(f"{n}× {text}" for text, n in self.closes.most_common(3))
            raise LoadError(
                f"Not everybody was connected after {within_s:.0f} s: {why}"
            )

    async def _obey(self, tasks: anyio.abc.TaskGroup) -> None:
        while True:
            line = await anyio.to_thread.run_sync(sys.stdin.readline)
            match line.strip():
                case "go" | "full" as how:
                    self.is_closed = how == "full" or not self.plan.rate
                    self._begin(tasks)
                case "pause":
                    self.is_talking = False
                case "measure" | "mark" as what:
                    self.is_measuring |= what == "measure"
                    self.report("counts")
                case "window":
                    self.report("counts", latencies_ms=self.latencies_ms)
                    self.latencies_ms = []
                case "down":
                    self.came_at = []
                    self.report("counts")
                case "back":
                    await self._all_back()
                    self.report("back", came_at=self.came_at)
                case "cut":
                    self.came_at = []
                    self._cut()
                    await self._all_back()
                    self.report("back", came_at=self.came_at)
                case _:  # `stop`, or the program that started us is gone.
                    return

    def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        self.is_talking = True
        if self.people is not None:
            self.people.start(tasks)
        elif not self.is_closed:
            tasks.start_soon(self._talk_at_rate)
        else:
            for visitor in self.visitors:
                visitor.say(visitor.conversations[0])

    def _cut(self) -> None:
        urls = [self.plan.url, *self.plan.urls.values()]
        for port in {urlsplit(url).port or 0 for url in urls}:
            cut_connections(port)

    async def _all_back(self) -> None:
        """Report `live` when everybody was answered; wait for what was sent until now.

        The talk goes on meanwhile: to wait for what is sent later would never end.
        Whether a client takes itself for connected says nothing: it may not have
        noticed yet. So each asks for something.
        """
        owed = [(talker, set(talker.waiting)) for talker in self.everybody]
        async with anyio.create_task_group() as tasks:
            for talker in self.everybody:
                tasks.start_soon(talker.ask)
        self.report("live")
        while any(talker.waiting & keys for talker, keys in owed):
            await anyio.sleep(TICK_S)
        heads = self._heads()
        while any(talker.lacks(heads) for talker in self.everybody):
            await anyio.sleep(TICK_S)

    async def _talk_at_rate(self) -> None:
        """Send at a fixed pace, whether answers come or not."""
        lanes = [(v, v.conversations[0]) for v in self.visitors]
        lanes += [(a, c) for a in self.agents for c in a.conversations]
        random.Random(self.plan.name).shuffle(lanes)
        turn = cycle(lanes)
        started, done = now(), 0
        while self.is_talking:
            due = int((now() - started) * self.plan.rate)
            for number in range(done, due):
                talker, conversation = next(turn)
                talker.say(conversation, due=started + number / self.plan.rate)
            done = due
            await anyio.sleep(TICK_S)

    async def _rest(self) -> int:
        """Wait until every send is answered and every display is complete."""
        behind = len(self.everybody)
        with anyio.move_on_after(self.plan.rest_s):
            while behind := self._behind():
                await anyio.sleep(0.05)
        return behind

    def _behind(self) -> int:
        heads = self._heads()
        return sum(bool(t.waiting) or t.lacks(heads) for t in self.everybody)

    def _heads(self) -> Counter[int]:
        """Return the newest seq of each conversation that anybody was told or shown."""
        heads: Counter[int] = Counter()
        for talker in self.everybody:
            for conversation, seq in talker.reader.last_seq.items():
                heads[conversation] = max(heads[conversation], seq)
            for conversation, seq in talker.told_last.items():
                heads[conversation] = max(heads[conversation], seq)
        return heads

    def report(self, state: str, **fields: Any) -> None:
        """Write one line to the program that started us."""
        report = Report(
            state=state,
            at=now(),
            cpu_s=time.process_time(),
            sent=self.sent,
            acknowledged=self.acknowledged,
            delivered=self.delivered,
            requests=sum(each.requests for each in self.transports.values()),
            deflated=sum(each.deflated for each in self.transports.values()),
            pages=self.people.pages if self.people is not None else 0,
            pages_failed=self.people.pages_failed if self.people is not None else 0,
            closes=dict(self.closes),
            **fields,
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


def main(path: Path) -> None:
    """Run one plan."""
    load = Load(msgspec.json.decode(path.read_bytes(), type=Plan))
    try:
        anyio.run(load.run, backend_options={"loop_factory": uvloop.new_event_loop})
    except* LoadError as failed:
        load.report("failed", text=str(failed.exceptions[0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
