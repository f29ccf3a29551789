"""Below a limit all is well, at it too, and one more gets the documented answer.

`PROBES` cross a limit from outside. `docs/verification.md` names the test of each limit
that no single request can cross: times, paces, and what only bounds ourselves.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.abc.outgoing import MailRules
from kefu_core.abc.store import PendingAppend
from kefu_core.errors import Busy, CloseCode
from kefu_core.limits import Limits
from kefu_core.model import Draft, Person, Role, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.protocol.events import CloseRequested
from kefu_core.protocol.server import ServerSession
from kefu_core.records import Mail, OfflineMessage
from kefu_core.site import Letters
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from tests.core.desk.world import LIMITS, Wire, world
from tests.core.hub.world import Gate
from tests.core.transports.polling import QUICK, PollWorld, poll_world

pytestmark = pytest.mark.anyio

NOWHERE = ConversationId(999)
NEVER = 1e-6
"""A pace, a second: what is used up stays used up."""

Probe = Callable[[Limits, int], Awaitable[str]]
"""Tries so much of something; returns the code that it is answered with, if any."""


def _codes(frames: list[Any]) -> str:
    return "".join(sorted({x.code for x in frames if isinstance(x, f.ErrorFrame)}))


async def _answered(wire: Wire, count: int, *kinds: type[f.Frame]) -> list[Any]:
    """Read until there were so many frames of these kinds."""
    start = len(wire.seen)
    while True:
        found = [frame for frame in wire.seen[start:] if isinstance(frame, kinds)]
        if len(found) >= count:
            return found
        await wire.until(*kinds)


# -- one frame, one batch --------------------------------------------------------------


async def frame_bytes(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        wire = await w.live("v1")
        head, tail = b'{"t":"ping","x":"', b'"}'
        await wire.stream.send_bytes(head + b"x" * (tried - len(head + tail)) + tail)
        return _codes([await wire.until(f.Pong, f.ErrorFrame)])


async def batch_frames(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        wire = await w.live("v1")
        await wire.stream.send_bytes(JSON.join([JSON.encode(f.Ping())] * tried))
        return _codes([await wire.until(f.Pong, f.ErrorFrame)])


async def depth(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        wire = await w.live("v1")
        value: Any = 1
        for _ in range(tried - 2):
            value = [value]
        unknown = f.Call(id="c", method="none", params={"a": value})
        await wire.send(unknown)
        code = _codes([await wire.until(f.ErrorFrame)])
        return "" if code == "not_found" else code


async def _one_send(limits: Limits, who: str, **fields: Any) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        wire = await w.live(who)
        said = {"key": "k", "n": 1, "body": "x", **fields}
        return _codes(await wire.answers(f.Send(conversation=conversation, **said)))


async def agents_text(limits: Limits, tried: int) -> str:
    return await _one_send(limits, "a1", body="客" * tried)


async def visitors_text(limits: Limits, tried: int) -> str:
    return await _one_send(limits, "v1", body="客" * tried)


async def data_bytes(limits: Limits, tried: int) -> str:
    return await _one_send(limits, "a1", data={"a": "x" * (tried - len('{"a":""}'))})


async def key_chars(limits: Limits, tried: int) -> str:
    return await _one_send(limits, "v1", key="k" * tried)


async def cursors_of_a_hello(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        wire = Wire(w.stream())
        cursors = {ConversationId(n): Seq(0) for n in range(1, tried + 1)}
        await wire.send(f.Hello(token="v1", cursors=cursors))
        return _codes([await wire.until(f.Welcome, f.ErrorFrame)])


async def _left(limits: Limits, tried: int, visitor: Callable[[int], str]) -> str:
    async with world(limits) as w:
        codes = ""
        for n in range(tried):
            wire = await w.live(visitor(n), address="192.0.2.7")
            params = {"key": f"key-{n:04}", "body": "x", "email": "a@b.example"}
            call = f.Call(id="l", method="offline.leave", params=params)
            codes += _codes(await wire.answers(call, call))
            wire.cut()
        return codes.replace("rate_limited" * 2, "rate_limited")


async def left_by_one(limits: Limits, tried: int) -> str:
    return await _left(limits, tried, lambda n: "v1")


async def left_from_an_address(limits: Limits, tried: int) -> str:
    limits = msgspec.structs.replace(limits, left_messages_per_h=1_000)
    return await _left(limits, tried, lambda n: "v1" if n % 2 else "v2")


async def notices(limits: Limits, tried: int) -> str:
    """What comes beyond the limit is left all the same, and nobody is told by mail."""
    async with world(limits) as w:
        w.desk.mail = MailRules(sender="kefu@shop.example")
        (site, _) = await w.store.sites()
        letters = Letters(notices_to=("a@b.example",))
        settings = msgspec.structs.replace(site.settings, letters=letters)
        await w.store.put_site(msgspec.structs.replace(site, settings=settings))
        wire = await w.live("v1")
        for n in range(tried):
            params = {"key": f"key-{n:04}", "body": "x", "email": "a@b.example"}
            call = f.Call(id="l", method="offline.leave", params=params)
            assert _codes(await wire.answers(call)) == ""
        wire.cut()
        mails = await w.store.list_records(Mail)
        return "" if len(mails) == tried else "untold"


async def answers_by_mail(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        w.desk.mail = MailRules(sender="kefu@shop.example")
        visitor, email = ParticipantId("v1"), "a@b.example"
        await w.store.put_records(
            OfflineMessage(id=9, site_id=1, visitor=visitor, email=email)
        )
        wire, codes = await w.live("a1"), ""
        for n in range(tried):
            params = {"message": 9, "text": "x", "key": f"key_{n:04}"}
            call = f.Call(id="m", method="offline.answer_by_mail", params=params)
            codes += _codes(await wire.answers(call))
        wire.cut()
        return codes


async def typing_chars(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        wire = await w.live("v1")
        await wire.answers(f.Follow(conversation=conversation))
        typing = f.Typing(conversation=conversation, text="x" * tried)
        return _codes(await wire.answers(typing))


async def page_messages(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        wire = await w.live("v1")
        fetch = f.Fetch(id="f", conversation=conversation, limit=tried)
        return _codes(await wire.answers(fetch))


# -- how much at once ------------------------------------------------------------------


async def visitors_burst(limits: Limits, tried: int) -> str:
    limits = msgspec.structs.replace(limits, visitor_messages_per_s=NEVER)
    return await _sends(limits, "v1", tried)


async def agents_burst(limits: Limits, tried: int) -> str:
    limits = msgspec.structs.replace(limits, agent_messages_per_s=NEVER)
    return await _sends(limits, "a1", tried)


async def _sends(limits: Limits, who: str, tried: int) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        wire = await w.live(who)
        codes = ""
        for n in range(1, tried + 1):
            send = f.Send(conversation=conversation, key=f"k{n}", n=n, body="x")
            codes += _codes(await wire.answers(send))
        return codes


async def frames_burst(limits: Limits, tried: int) -> str:
    limits = msgspec.structs.replace(limits, frames_per_s=NEVER, flood_factor=1e12)
    async with world(limits) as w:
        wire = await w.live("v1")  # Its hello is the first frame.
        await wire.send(*[f.Fetch(id="f", conversation=NOWHERE)] * (tried - 1))
        answers = await _answered(wire, tried - 1, f.ErrorFrame)
        return _codes(answers).replace("not_found", "")


async def flood(limits: Limits, tried: int) -> str:
    """Refusals for pace, of which so many are answered; one more closes."""
    limits = msgspec.structs.replace(
        limits, frames_per_s=1.0, frames_burst=1, flood_s=1.0
    )
    async with world(limits) as w:
        wire = await w.live("v1")
        await wire.send(*[f.Fetch(id="f", conversation=NOWHERE)] * tried)
        answers = await _answered(wire, tried, f.ErrorFrame, f.Closed)
        return "".join(str(int(x.code)) for x in answers if isinstance(x, f.Closed))


async def unanswered_sends(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        wire = await w.live("v1")
        w.store.before_commit = gate = Gate()
        await wire.answers(f.Follow(conversation=conversation))
        sends = [
            f.Send(conversation=conversation, key=f"k{n}", n=n, body="x")
            for n in range(1, tried + 1)
        ]
        await wire.send(*sends, f.Ping())
        await wire.until(f.Pong)
        codes = _codes(wire.seen).replace("not_found", "")
        gate.opened.set()
        return codes


async def waiting_requests(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        wire = await w.live("v1")
        await wire.send(*[f.Call(id="c", method="none")] * tried)
        answers = await _answered(wire, tried, f.ErrorFrame)
        return _codes(answers).replace("not_found", "")


# -- connections -----------------------------------------------------------------------


async def _connections(limits: Limits, who: str, tried: int) -> str:
    async with world(limits) as w:
        for _ in range(tried - 1):
            await w.live(who)
        wire = Wire(w.stream())
        await wire.send(f.Hello(token=who))
        code = _codes([await wire.until(f.Welcome, f.ErrorFrame)])
        if code:
            (*_, closed) = await wire.all_until_closed()
            assert closed.code == CloseCode.OVERLOADED
        return code


async def visitors_connections(limits: Limits, tried: int) -> str:
    return await _connections(limits, "v1", tried)


async def agents_connections(limits: Limits, tried: int) -> str:
    return await _connections(limits, "a1", tried)


async def _sessions(w: PollWorld, tried: int) -> str:
    for _ in range(tried - 1):
        assert (await w.poller().begin("a1")).status == 200
    status = (await w.poller().begin("a1")).status
    return "" if status == 200 else str(status)


async def sessions_of_an_address(limits: Limits, tried: int) -> str:
    async with poll_world(limits) as w:
        return await _sessions(w, tried)


async def sessions_of_an_address_at_once(limits: Limits, tried: int) -> str:
    limits = msgspec.structs.replace(limits, address_connections_per_s=NEVER)
    return await sessions_of_an_address(limits, tried)


async def without_a_hello(limits: Limits, tried: int) -> str:
    async with poll_world(limits) as w, anyio.create_task_group() as tasks:
        w.world.handler.before["authenticate"] = gate = Gate()
        statuses: list[int] = []

        async def begin() -> None:
            statuses.append((await w.poller().begin("a1")).status)

        for number in range(1, tried + 1):
            tasks.start_soon(begin)
            with anyio.fail_after(5):
                while w.hub.hello_pending < number and not statuses:
                    await anyio.sleep(0.001)
        codes = "".join(map(str, statuses))
        gate.opened.set()
    return codes


def _append(conversation: ConversationId, number: int, *, size: int) -> PendingAppend:
    draft = Draft(
        conversation=conversation,
        sender=ParticipantId("v1"),
        key=f"k{number}",
        body="x",
    )
    return PendingAppend(draft, lambda *_: None, size=size, submitted_at=monotonic())


async def waiting_appends(limits: Limits, tried: int) -> str:
    async with world(limits) as w:
        conversation = await w.conversation("v1")
        for number in range(tried):
            append = _append(conversation, number, size=1)
            try:
                w.hub.submit(append)  # Nothing is awaited: all of them wait.
            except Busy as busy:
                return busy.code
        return ""


PROBES: list[tuple[str, int, str, Probe]] = [
    # A limit, its value here, the documented answer to one more, and what tries.
    ("frame_bytes_max", 2_000, "too_large", frame_bytes),
    ("batch_frames_max", 5, "too_large", batch_frames),
    ("depth_max", 5, "bad_request", depth),
    ("text_chars_max", 50, "too_large", agents_text),
    ("visitor_text_chars_max", 50, "too_large", visitors_text),
    ("data_bytes_max", 100, "too_large", data_bytes),
    ("key_chars_max", 10, "bad_request", key_chars),
    ("cursors_max", 3, "bad_request", cursors_of_a_hello),
    ("typing_chars_max", 10, "bad_request", typing_chars),
    ("page_messages_max", 5, "bad_request", page_messages),
    ("visitor_messages_burst", 3, "rate_limited", visitors_burst),
    ("agent_messages_burst", 3, "rate_limited", agents_burst),
    ("left_messages_per_h", 2, "rate_limited", left_by_one),
    ("notice_mails_per_h", 2, "untold", notices),
    ("mails_to_an_address_per_d", 3, "rate_limited", answers_by_mail),
    ("left_messages_per_address_h", 3, "rate_limited", left_from_an_address),
    ("frames_burst", 10, "rate_limited", frames_burst),
    ("flood_factor", 10, "4100", flood),
    ("unacknowledged_sends_max", 3, "busy", unanswered_sends),
    ("requests_waiting_max", 3, "busy", waiting_requests),
    ("appender_messages_max", 3, "busy", waiting_appends),
    ("visitor_connections_max", 3, "busy", visitors_connections),
    ("agent_connections_max", 3, "busy", agents_connections),
    ("address_connections_max", 3, "429", sessions_of_an_address),
    ("address_connections_burst", 3, "429", sessions_of_an_address_at_once),
    ("node_connections_max", 3, "503", sessions_of_an_address),
    ("hello_pending_max", 3, "503", without_a_hello),
]

_POLLED = {"429", "503"}


@pytest.mark.parametrize("more", [-1, 0, 1], ids=["below", "at", "above"])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe[0])
async def test_one_more_than_the_limit_gets_the_documented_answer(
    probe: tuple[str, int, str, Probe], more: int
) -> None:
    name, limit, code, tries = probe
    base = QUICK if code in _POLLED else LIMITS
    limits = msgspec.structs.replace(base, **{name: limit})
    assert await tries(limits, limit + more) == (code if more > 0 else "")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_bytes_that_wait_for_a_commit_and_in_one_are_limited(
    anyio_backend: str, tmp_path: Path
) -> None:
    limits = Limits(appender_bytes_max=50, commit_bytes_max=20)
    url = f"sqlite+aiosqlite:///{tmp_path / 'kefu.db'}"
    visitor = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
    store = SqlStore(url, limits=limits, now=monotonic, now_ms=unix_ms)
    async with store:
        await store.put_site(Site(id=1, name="shop", embed_key="k"))
        conversation = (await store.open_conversation(1, visitor)).id
        before, stored = store.statistics(), anyio.Event()
        for number in range(1, 6):
            append = _append(conversation, number, size=10)
            append.done = lambda *_, n=number: stored.set() if n == 5 else None
            store.submit(append)
        with pytest.raises(Busy):
            store.submit(_append(conversation, 6, size=1))
        await stored.wait()
        after = store.statistics()
    assert after.messages - before.messages == 5
    assert after.commits - before.commits == 3


LATE: list[tuple[str, float, bool]] = [
    # A time, its length here, and whether the peer was welcomed before.
    ("hello_timeout_s", 5.0, False),
    ("heartbeat_s", 25.0, True),
    ("silent_intervals", 3.0, True),
]


@pytest.mark.parametrize(("name", "length", "is_welcomed"), LATE)
def test_a_silent_peer_is_closed_when_its_time_is_over_and_not_before(
    name: str, length: float, is_welcomed: bool
) -> None:
    limits = msgspec.structs.replace(Limits(), **{name: length})
    session = ServerSession(limits, 0.0)
    until = limits.hello_timeout_s
    if is_welcomed:
        session.receive([f.Hello(token="v1")], 0.0)
        me = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
        session.welcome(
            session="s",
            epoch="e",
            resumed=False,
            me=me,
            heads={},
            at=UnixMs(0),
            expires_at=None,
        )
        until = limits.heartbeat_s * limits.silent_intervals
    session.events()
    session.handle_timer(until - 0.001)
    assert list(session.events()) == []
    session.handle_timer(until)
    (closed,) = session.events()
    assert isinstance(closed, CloseRequested)
    assert closed.code == CloseCode.SILENT


def test_every_limit_is_crossed_here_or_by_a_test_that_the_page_names() -> None:
    page = Path("docs/verification.md").read_text("utf-8")
    section = page.partition("### Limits\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
    here = {name for name, *_ in PROBES} | {name for name, *_ in LATE}
    assert len(named) == len(set(named))
    assert not here & set(named)
    names = {field.name for field in msgspec.structs.fields(Limits)}
    assert names - here == set(named)
