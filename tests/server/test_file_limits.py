"""Files: how often and how much, when a server dies in between, and when they go."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from kefu_core.desk.files import FilePaces
from kefu_core.errors import TooMany
from kefu_core.followers.files import FileSweep
from kefu_core.limits import Limits
from kefu_core.model import Person, Principal, Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.store.memory import MemoryStore
from kefu_core.store.sql import SqlStore
from kefu_core.types import ParticipantId
from kefu_core.upkeep.erasing import erase_visitor
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Settings
from tests.server.conftest import SITE
from tests.server.rooms import ANA, Room, opened, picture, room_of, settle

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
async def room(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings
) -> AsyncIterator[Room]:
    async with opened(request.param, tmp_path, settings) as room:
        yield room


async def test_the_same_file_that_comes_twice_at_once_is_said_once(room: Room) -> None:
    async with room.visitor() as one, room.visitor() as two:
        answers: list[httpx.Response] = []

        async def put(client: httpx.AsyncClient) -> None:
            answers.append(await room.put(client, b"x" * 400_000))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, one)
            tasks.start_soon(put, two)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert {answer.json()["seq"] for answer in answers} == {1}
        assert len(await room.log()) == len(room.stored()) == 1


async def test_a_file_whose_server_died_before_its_message_is_said_later(
    room: Room,
) -> None:
    async with room.visitor() as visitor:
        hub, append = room.app.state.services.hub, room.app.state.services.hub.append

        async def die(draft: Any) -> Any:
            raise ConnectionResetError

        hub.append = die
        assert (await room.put(visitor)).status_code == 500
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.PENDING
        hub.append = append
        sent = await room.put(visitor)
        assert (sent.status_code, sent.json()["seq"]) == (200, 1)
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.LINKED
        assert len(room.stored()) == 1


async def test_bytes_of_a_day_are_limited_and_a_restart_forgets_none(
    tmp_path: Path, settings: Settings
) -> None:
    def start() -> KefuApp:
        url = f"sqlite+aiosqlite:///{tmp_path}/kefu.db"
        return create_app(settings, store=SqlStore(url, now=monotonic, now_ms=unix_ms))

    async def unannounced() -> AsyncIterator[bytes]:
        yield b"12345"

    app = start()
    async with app.router.lifespan_context(app):
        room = await room_of(app)
        await settle(room, visitor_day_bytes_max=10, site_day_bytes_max=14)
        async with room.visitor() as visitor:
            assert (await room.put(visitor, b"12345")).status_code == 200
            assert (await room.put(visitor, b"1234", key="key-2")).status_code == 200
    app = start()
    async with app.router.lifespan_context(app):
        room.app, room.store = app, app.state.services.store
        async with room.visitor() as visitor, await room.agent(ANA) as agent:
            for content in (b"12", unannounced()):
                refused = await room.put(visitor, content, key="key-3")
                assert refused.status_code == 429
                wait_s = refused.json()["error"]["retry_after_s"]
                assert 86_000 < wait_s <= 86_401
            # What is known costs nothing, and what fits in no day is too large.
            assert (await room.put(visitor, b"12345")).json()["duplicate"]
            assert (await room.put(visitor, b"x" * 11, key="k")).status_code == 413
            assert len(room.stored()) == 2
            # An agent may go on, and then the site has no room for visitors.
            assert (await room.put(agent, b"12345", key="key-4")).status_code == 200
            assert (await room.put(visitor, b"1", key="key-5")).status_code == 429


async def test_files_that_come_in_at_once_keep_to_the_day_together(room: Room) -> None:
    await settle(room, visitor_day_bytes_max=10, site_day_bytes_max=14)
    # Each of them is there in whole before the first one is counted.
    desk = room.app.state.services.desk
    all_there, waiting = anyio.Event(), 0
    take = desk.files.take

    async def take_with_others(*upload: Any) -> Any:
        nonlocal waiting
        waiting += 1
        if waiting == 8:
            all_there.set()
        with anyio.fail_after(10):
            await all_there.wait()
        return await take(*upload)

    desk.files.take = take_with_others
    answers: list[tuple[str, int]] = []

    async def put(where: Room, client: httpx.AsyncClient, number: int) -> None:
        sent = await where.put(client, b"1234", key=f"key-{number}")
        answers.append((where.row.visitor, sent.status_code))

    other = Person(id=ParticipantId("v2"), name="", role=Role.VISITOR)
    beside = Room(room.app, await room.store.open_conversation(SITE.id, other))

    async with (
        room.visitor() as one,
        beside.visitor(2) as two,
        anyio.create_task_group() as tasks,
    ):
        for number in range(4):
            tasks.start_soon(put, room, one, number)
            tasks.start_soon(put, beside, two, number)
    passed = [who for who, status in answers if status == 200]
    refused = [status for _, status in answers if status != 200]
    assert len(passed) == 3
    assert max(passed.count("v1"), passed.count("v2")) == 2
    assert refused == [429] * 5
    assert len(room.stored()) == 3


@pytest.mark.parametrize("is_before", [True, False])
async def test_what_a_server_that_died_while_storing_left_is_used_or_swept(
    room: Room, is_before: bool
) -> None:
    """Bytes are never without a row that says where they are."""
    async with room.visitor() as visitor:
        storage = room.app.state.services.desk.files.storage
        put = storage.put

        async def die(key: str, source: Path) -> None:
            if not is_before:
                await put(key, source)
            raise ConnectionResetError

        storage.put = die
        for key in ("key-1", "key-2"):
            sent = await room.put(visitor, picture(), key=key, name="a.png")
            assert sent.status_code == 500
        rows = await room.store.list_records(Attachment)
        assert {row.status for row in rows} == {AttachmentStatus.ARRIVING}
        assert (await visitor.get(f"/api/files/{rows[0].id}")).status_code == 404
        storage.put = put
        assert (await room.put(visitor, b"another")).status_code == 409
        sent = await room.put(visitor, picture(), name="a.png")
        assert (sent.status_code, sent.json()["seq"]) == (200, 1)
        assert await _sweep(room, 1.1).sweep() == 1
        (row,) = await room.store.list_records(Attachment)
        assert (row.key, row.status) == ("key-1", AttachmentStatus.LINKED)
        assert len(room.stored()) == 2


async def test_too_many_files_are_told_to_wait(room: Room) -> None:
    async with room.visitor() as visitor:
        for number in range(20):
            assert (await room.put(visitor, key=f"k{number}")).status_code == 200
        refused = await room.put(visitor, key="one-more")
        assert refused.status_code == 429
        assert refused.json()["error"]["retry_after_s"] > 0
        # What is known already costs nothing.
        assert (await room.put(visitor, key="k3")).status_code == 200


def test_each_sender_and_each_address_has_a_pace_of_files() -> None:
    limits = Limits(visitor_files_per_h=2, address_files_per_h=3, agent_files_per_h=4)
    now = 0.0
    paces = FilePaces(limits, lambda: now)

    def count(who: str, role: Role) -> int:
        """Return how many pass until one is refused."""
        sender = Principal(
            participant=ParticipantId(who), role=role, site_id=1, address="192.0.2.1"
        )
        for passed in range(10):
            try:
                paces.take(sender)
            except TooMany:
                return passed
        return 10

    assert count("v1", Role.VISITOR) == 2
    assert count("v2", Role.VISITOR) == 1
    assert count("a1", Role.AGENT) == 4
    now = 3_600.0
    assert count("v1", Role.VISITOR) == 2


async def test_only_so_many_files_come_in_at_once(room: Room) -> None:
    files = room.app.state.services.desk.files
    async with AsyncExitStack() as stack, room.visitor() as visitor:
        for _ in range(Limits().uploads_max):
            await stack.enter_async_context(files.place())
        refused = await room.put(visitor)
        assert (refused.status_code, room.stored()) == (503, [])
    async with room.visitor() as visitor:
        assert (await room.put(visitor)).status_code == 200


@pytest.mark.parametrize("limit", ["upload_stall_s", "upload_s"])
async def test_an_upload_that_stands_still_or_takes_for_ever_ends(
    tmp_path: Path, settings: Settings, limit: str
) -> None:
    limits = msgspec.structs.replace(Limits(), **{limit: 0.05})
    app = create_app(
        msgspec.structs.replace(settings, limits=limits),
        store=MemoryStore(now=monotonic, now_ms=unix_ms),
    )
    async with app.router.lifespan_context(app):
        room = await room_of(app)
        cut_off = anyio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            await cut_off.wait()

        async with room.visitor() as visitor:
            with anyio.move_on_after(10) as scope:
                refused = await room.put(visitor, endless())
                assert refused.status_code == 400
                assert "slowly" in refused.text
            assert not scope.cancelled_caught
        assert (room.stored(), await room.log()) == ([], [])


def _sweep(room: Room, hours: float = 0) -> FileSweep:
    """Return a sweep whose clock is so many hours ahead."""
    storage = room.app.state.services.desk.files.storage
    ahead = int(hours * 3_600_000)
    return FileSweep(room.store, storage, now_ms=lambda: unix_ms() + ahead)


async def test_files_without_a_message_are_swept_after_an_hour(room: Room) -> None:
    async with room.visitor() as visitor:
        hub, append = room.app.state.services.hub, room.app.state.services.hub.append

        async def die(draft: Any) -> Any:
            raise ConnectionResetError

        await room.put(visitor, b"named")
        hub.append = die
        await room.put(visitor, picture(), key="key-2", name="a.png")
        hub.append = append
        assert len(room.stored()) == 3
        assert await _sweep(room).sweep() == 0
        assert await _sweep(room, 0.9).sweep() == 0
        assert await _sweep(room, 1.1).sweep() == 1
        assert len(room.stored()) == 1
        (row,) = await room.store.list_records(Attachment)
        assert row.key == "key-1"
        # The key is free again.
        assert (await room.put(visitor, picture(), key="key-2")).status_code == 200


async def test_a_message_that_came_before_the_row_said_so_keeps_its_file(
    room: Room,
) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
        (row,) = await room.store.list_records(Attachment)
        await room.store.put_records(
            msgspec.structs.replace(row, status=AttachmentStatus.PENDING)
        )
        assert await _sweep(room, 2).sweep() == 0
        (row,) = await room.store.list_records(Attachment)
        assert row.status is AttachmentStatus.LINKED


async def test_a_late_link_and_a_sweep_never_both_have_a_file(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
        (row,) = await room.store.list_records(Attachment)
        old = msgspec.structs.replace(
            row, status=AttachmentStatus.PENDING, created_at=row.created_at - 9 * 10**6
        )
        sweep = _sweep(room)
        # The sweep has read the row; then the upload comes again and claims it.
        await room.store.put_records(old)
        claimed = await room.put(visitor)
        assert claimed.status_code == 200
        await sweep._change(old, AttachmentStatus.DROPPED)
        assert await sweep.sweep() == 0
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 200
        # The other way round: who comes too late is told to come again.
        await room.store.put_records(old)
        await sweep._change(old, AttachmentStatus.DROPPED)
        assert (await room.put(visitor)).status_code == 503
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 404
        assert await sweep.sweep() == 1
        assert room.stored() == []


async def test_what_a_site_keeps_no_longer_goes_with_its_texts(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor)
    await room.store.put_site(msgspec.structs.replace(SITE, retention_days=30))
    assert await _sweep(room, 29 * 24).sweep() == 0
    assert await _sweep(room, 31 * 24).sweep() == 1
    assert (room.stored(), await room.store.list_records(Attachment)) == ([], [])


async def test_erasing_a_visitor_takes_its_files_along(room: Room) -> None:
    async with room.visitor() as visitor:
        await room.put(visitor, picture(), name="my passport.png")
        (row,) = await room.store.list_records(Attachment)
        await erase_visitor(room.store, ParticipantId("v1"))
        assert (await visitor.get(f"/api/files/{row.id}")).status_code == 404
        (entry,) = await room.log()
        assert entry[2:] == ("erased", "", {"was": "file"})
        conversation = await room.store.find_conversation(room.row.id)
        assert conversation is not None
        assert conversation.last_line == ""
        assert await _sweep(room).sweep() == 1
        assert room.stored() == []
