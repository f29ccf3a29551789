"""Several people, random faults: at the end each holds exactly what was said.

Real sockets throughout: a node over SQLite that is restarted, a proxy for each client
and transport that cuts and stops reading, clients that change their transport.
"""

import functools
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.abc import TaskGroup, TaskStatus
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions
from kefu_core.client import Client
from kefu_core.protocol import frames as f
from kefu_core.testing.proxy import Proxy, proxy_to
from kefu_core.testing.serving import LIMITS, Eager, Kit, Served
from kefu_core.transports.registry import find_transport
from kefu_core.types import Seq
from tests.conformance.conftest import serve_by_hypercorn, sqlite_in

pytestmark = pytest.mark.alone

NAMES = ("websocket", "tcp", "longpoll")
PEOPLE = ("v1", "v2", "a1", "a2")
SOFT = msgspec.structs.replace(LIMITS, drain_s=0.3, outbox_frames_max=32)
SETTLED_S = 30
EXAMPLES = settings.default.max_examples // 4


class Someone:
    """A client with its proxies, what it said, and what it was shown."""

    def __init__(self, who: str, number: int) -> None:
        self.who = who
        self.at = number % len(NAMES)
        self.codec = ("json", "msgpack")[number % 2]
        self.proxies: dict[str, Proxy] = {}
        self.shown: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.acked: dict[str, Seq] = {}
        self.said: dict[int, list[str]] = {}
        """Keys in the order said, by conversation; those it follows."""
        self.client = Client(token=who, dial=self.dial, rng=Eager())

    async def dial(self) -> FrameStream:
        transport = find_transport(NAMES[self.at])
        port = self.proxies[transport.name].port
        url = f"{transport.schemes[0]}://127.0.0.1:{port}{transport.path}"
        return await transport.connect(url, DialOptions(codec=self.codec))

    async def listen(self) -> None:
        async for event in self.client.events():
            if isinstance(event, f.MessageFrame):
                self.shown[event.conversation].append((event.seq, event.body))
            elif isinstance(event, f.Sent):
                assert event.key not in self.acked, "told twice"
                self.acked[event.key] = event.seq

    def say(self, which: int, count: int) -> None:
        """Send; the text of a message is its key."""
        conversations = list(self.said)
        conversation = conversations[which % len(conversations)]
        keys = self.said[conversation]
        for _ in range(count):
            key = f"{self.who}-{conversation}-{len(keys)}"
            keys.append(key)
            self.client.send_nowait(conversation, key, key=key)

    async def cut(self) -> None:
        for proxy in self.proxies.values():
            await proxy.cut()

    def pause(self, is_paused: bool) -> None:
        for proxy in self.proxies.values():
            proxy.down.is_paused = is_paused


class World:
    """Everybody, and a node that comes and goes."""

    def __init__(self, folder: Path, tasks: TaskGroup) -> None:
        self.kit = Kit(
            find_transport("websocket"), "json", sqlite_in(folder), serve_by_hypercorn
        )
        self.people = [Someone(who, number) for number, who in enumerate(PEOPLE)]
        self.conversations: list[int] = []
        self.node: Served
        self._tasks = tasks
        self._stop = self._stopped = anyio.Event()

    async def start(self) -> None:
        self._stop, self._stopped = anyio.Event(), anyio.Event()
        self.node = await self._tasks.start(self._serve)
        for someone in self.people:
            for name, proxy in someone.proxies.items():
                proxy.target = self.node.ports[name]

    async def stop(self) -> None:
        self._stop.set()
        await self._stopped.wait()

    async def _serve(self, *, task_status: TaskStatus[Served]) -> None:
        others = [find_transport(name) for name in NAMES[1:]]
        async with self.kit.node(SOFT, others=others) as node:
            task_status.started(node)
            await self._stop.wait()
        self._stopped.set()

    async def do(self, step: tuple[str, int, int]) -> None:
        what, who, number = step
        someone = self.people[who % len(self.people)]
        match what:
            case "say":
                someone.say(number, 1 + number % 20)
            case "cut":
                await someone.cut()
            case "cut later":
                way = someone.proxies[NAMES[someone.at]]
                direction = (way.up, way.down)[number % 2]
                direction.cut_at = direction.passed_bytes + 1 + number * 7
            case "move":
                someone.at = (someone.at + 1 + number % 2) % len(NAMES)
                await someone.cut()
            case "stop reading":
                someone.pause(True)
            case "read again":
                someone.pause(False)
            case "restart":
                await self.stop()
                await self.start()
            case "wait":
                await anyio.sleep(number / 2_000)

    async def settle(self) -> None:
        """Wait until everybody was answered and was shown everything."""
        for someone in self.people:
            someone.pause(False)
        with anyio.move_on_after(SETTLED_S):
            while not await self._is_settled():
                await anyio.sleep(0.02)
            return
        raise AssertionError("\n".join(await self._missing()))

    async def _missing(self) -> list[str]:
        """Say who waits for what."""
        heads = await self.node.store.heads(self.conversations)
        lines = [f"not settled after {SETTLED_S} s; heads: {dict(heads)}"]
        for someone in self.people:
            shown = {which: len(log) for which, log in someone.shown.items()}
            asked = {key for keys in someone.said.values() for key in keys}
            lines.append(
                f"{someone.who} by {NAMES[someone.at]}: live {someone.client.is_live},"
                f" shown {shown}, no answer to {sorted(asked - someone.acked.keys())}"
            )
        return lines

    async def _is_settled(self) -> bool:
        # Heads are read once all is acknowledged: what is stored after that is in none.
        if any(
            set(keys) - someone.acked.keys()
            for someone in self.people
            for keys in someone.said.values()
        ):
            return False
        heads = await self.node.store.heads(self.conversations)
        return all(
            len(someone.shown[conversation]) >= heads[conversation]
            for someone in self.people
            for conversation in someone.said
        )

    async def check(self) -> None:
        for conversation in self.conversations:
            log = await self.whole_log(conversation)
            expected = [(n, body) for n, (_, body) in enumerate(log, 1)]
            assert log == expected, "seqs have a hole"
            bodies = [body for _, body in log]
            assert len(set(bodies)) == len(bodies), "a key was stored twice"
            said = [s.said[conversation] for s in self.people if conversation in s.said]
            assert set(bodies) == {key for keys in said for key in keys}
            for keys in said:
                assert [body for body in bodies if body in set(keys)] == keys
            for someone in self.people:
                if conversation in someone.said:
                    assert someone.shown[conversation] == log
        for someone in self.people:
            for key, seq in someone.acked.items():
                assert (seq, key) in someone.shown[int(key.split("-")[1])]

    async def whole_log(self, conversation: int) -> list[tuple[int, str]]:
        log: list[tuple[int, str]] = []
        while rows := await self.node.store.history(
            conversation, after=Seq(len(log)), limit=100
        ):
            log += [(row.seq, row.body) for row in rows]
        return log


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
            w = World(Path(folder), tasks)
            for someone in w.people:
                for name in NAMES:
                    proxy = await stack.enter_async_context(proxy_to(1))
                    someone.proxies[name] = proxy
            await w.start()
            for who in PEOPLE[:2]:
                w.conversations.append(await w.node.conversation(who))
            listeners = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(listeners.cancel_scope.cancel)
            for someone in w.people:
                await stack.enter_async_context(someone.client)
                listeners.start_soon(someone.listen)
                for who, conversation in zip(PEOPLE, w.conversations, strict=False):
                    if someone.who in ("a1", "a2", who):
                        someone.said[conversation] = []
                        await someone.client.follow(conversation)
            yield w
            for someone in w.people:
                await someone.cut()
            await w.stop()


WHAT = st.sampled_from(
    ["say"] * 6
    + ["cut", "cut later", "cut later", "move", "move", "wait", "wait"]
    + ["stop reading", "read again", "restart"]
)
STEPS = st.tuples(WHAT, st.integers(0, 3), st.integers(0, 200))


async def play(steps: list[tuple[str, int, int]]) -> None:
    async with world() as w:
        for step in steps:
            await w.do(step)
        await w.settle()
        await w.check()


def innermost(failed: BaseException) -> BaseException:
    """Return what went wrong first, out of the groups that task groups wrap it in."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed


@settings(max_examples=EXAMPLES)
@given(st.lists(STEPS, min_size=5, max_size=30))
def test_whatever_happens_everybody_holds_everything_once_and_in_order(
    steps: list[tuple[str, int, int]],
) -> None:
    try:
        anyio.run(functools.partial(play, steps))
    except BaseExceptionGroup as failed:
        raise innermost(failed) from None
