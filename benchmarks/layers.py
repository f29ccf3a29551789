"""Whose code a frame of a stack is, by the path of its file."""

from collections import Counter
from collections.abc import Iterable
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


Stacks = Counter[tuple[Frame, ...]]
"""How often each stack was seen, outermost function first."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What something costs of a message."""

    name: str
    us: float
    """Microseconds of CPU a delivered message, without what it calls."""
    share: float


def parse_stacks(lines: Iterable[str]) -> Stacks:
    """Return the stacks of py-spy's raw format; lines of one function are put together.

    A line is `function (path:line);function (path:line) count`.
    """
    stacks: Stacks = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if stack:
            frames = tuple(_frame(text) for text in stack.split(";"))
            stacks[frames] += int(count)
    return stacks


def _frame(text: str) -> Frame:
    function, bracket, rest = text.rpartition(" (")
    path, colon, line = rest.rstrip(")").rpartition(":")
    if not (bracket and colon and line.isdigit()):
        return Frame(text, "")
    return Frame(function, path)


def by_layer(stacks: Stacks, total_us: float) -> list[Share]:
    """Return what each layer costs by itself, the dearest first."""
    counts = Counter(dict.fromkeys((*LAYERS, REST), 0))
    for stack, count in stacks.items():
        counts[stack[-1].layer] += count
    return _shares(counts, total_us)


def by_function(stacks: Stacks, total_us: float, most: int) -> list[Share]:
    """Return the dearest functions, each by itself."""
    counts: Counter[str] = Counter()
    for stack, count in stacks.items():
        last = stack[-1]
        place = "/".join(last.path.rsplit("/", 2)[-2:])
        counts[f"{last.function} ({place})"] += count
    return _shares(counts, total_us)[:most]


def _shares(counts: "Counter[str]", total_us: float) -> list[Share]:
    whole = max(1, counts.total())
    return [
        Share(
            name=name,
            us=round(count / whole * total_us, 1),
            share=round(count / whole, 4),
        )
        for name, count in counts.most_common()
    ]
