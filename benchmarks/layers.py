"""Whose code a frame of a stack is, by the path of its file."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

REST = "rest"
LAYERS: dict[str, tuple[str, ...]] = {
    "codec": ("kefu_core/protocol/codec.py", "kefu_core/protocol/framing.py"),
    "session": ("kefu_core/protocol/",),
    "transport, ASGI server": (
        "kefu_core/transports/",
        "kefu_server/servers/",
        "kefu_server/hardening.py",
        "/hypercorn/",
        "/uvicorn/",
        "/granian/",
        "/h11/",
        "/wsproto/",
        "/websockets/",
        "/httptools/",
    ),
    "hub": ("kefu_core/hub/",),
    "appender, store": ("kefu_core/store/",),
    "database driver": (
        "/sqlalchemy/",
        "/aiosqlite/",
        "/sqlite3/",
        "/asyncmy/",
        "/asyncpg/",
    ),
    "event loop": (
        "/asyncio/",
        "/uvloop/",
        "/anyio/",
        "/concurrent/futures/",
        "/selectors.py",
        "/threading.py",
        "/queue.py",
    ),
    "desk": ("kefu_core/desk/",),
    "pages, routes": ("kefu_server/", "/starlette/"),
}
"""Parts of paths, the first that fits; what fits none is the rest."""


class Frame(NamedTuple):
    """One function of a stack."""

    function: str
    path: str
    """Empty where it is no file's, such as a thread."""

    @property
    def layer(self) -> str:
        """Whose code it is."""
        for layer, parts in LAYERS.items():
            if any(part in self.path for part in parts):
                return layer
        return REST


UNSEEN = (Frame("threads that were not watched", ""),)
"""Such as those of a server that is not written in Python."""
_THREAD = re.compile(r"thread \((\w+)\)")
Stacks = dict[tuple[Frame, ...], float]
"""What each stack costs, outermost function first: µs of CPU a delivered message."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What something costs of a message."""

    name: str
    us: float
    """Microseconds of CPU a delivered message, without what it calls."""
    share: float


def parse_stacks(lines: Iterable[str]) -> "Counter[tuple[Frame, ...]]":
    """Return the samples of py-spy's raw format; lines of one function are one.

    A line is `function (path:line);function (path:line) count`.
    """
    samples: Counter[tuple[Frame, ...]] = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if stack:
            frames = tuple(_frame(text) for text in stack.split(";"))
            samples[frames] += int(count)
    return samples


def _frame(text: str) -> Frame:
    function, bracket, rest = text.rpartition(" (")
    path, colon, line = rest.rstrip(")").rpartition(":")
    if not (bracket and colon and line.isdigit()):
        return Frame(text, "")
    return Frame(function, path)


def weigh(
    samples: "Counter[tuple[Frame, ...]]", threads_us: Mapping[int, float]
) -> Stacks:
    """Return the samples of each thread as shares of what that thread took.

    A thread that waits for a core, or for the disk, is seen as often as one that works;
    what it really took only the system knows.

    Args:
        samples: Each begins with its thread, as py-spy writes it with `--threads`.
        threads_us: CPU of each thread, µs a message; what no sample has seen of it is
            told as such.
    """
    seen: Counter[int] = Counter()
    for stack, count in samples.items():
        seen[_thread_of(stack)] += count
    stacks: Stacks = {}
    for stack, count in samples.items():
        number = _thread_of(stack)
        us = count / seen[number] * threads_us.get(number, 0.0)
        name = stack[0].function.partition(": ")[2] or "thread without a name"
        named = (Frame(name, ""), *stack[1:])
        stacks[named] = stacks.get(named, 0.0) + us
    unseen = sum(us for number, us in threads_us.items() if number not in seen)
    if unseen:
        stacks[UNSEEN] = unseen
    return {stack: us for stack, us in stacks.items() if us}


def _thread_of(stack: tuple[Frame, ...]) -> int:
    found = _THREAD.match(stack[0].function)
    return int(found.group(1), 0) if found else 0


def by_layer(stacks: Stacks) -> list[Share]:
    """Return what each layer costs by itself, the dearest first."""
    costs: dict[str, float] = dict.fromkeys((*LAYERS, REST), 0.0)
    for stack, us in stacks.items():
        costs[stack[-1].layer] += us
    return _shares(costs)


def by_function(stacks: Stacks, most: int) -> list[Share]:
    """Return the dearest functions, each by itself."""
    costs: dict[str, float] = {}
    for stack, us in stacks.items():
        last = stack[-1]
        place = "/".join(last.path.rsplit("/", 2)[-2:])
        name = f"{last.function} ({place})" if place else last.function
        costs[name] = costs.get(name, 0.0) + us
    return _shares(costs)[:most]


def _shares(costs: Mapping[str, float]) -> list[Share]:
    whole = sum(costs.values()) or 1.0
    return [
        Share(name=name, us=round(us, 1), share=round(us / whole, 4))
        for name, us in sorted(costs.items(), key=lambda each: -each[1])
    ]
