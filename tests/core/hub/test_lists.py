"""A watched list is a snapshot and then changes, each one version on."""

from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.hub.lists import WatchedList
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON, MSGPACK, Codec
from tests.core.hub.world import LIMITS, Peer, World, world

pytestmark = pytest.mark.anyio

TOPIC = "conversations"


def row(row_id: int, **fields: Any) -> dict[str, Any]:
    return {"id": row_id, **fields}


async def watcher(w: World, who: str = "a1", **options: Any) -> Peer:
    """Return a peer that watches and has the first snapshot."""
    w.hub.lists.topic(TOPIC)
    peer = await w.peer(who, **options)
    await peer.say(f.Watch(topic=TOPIC))
    await peer.expect(f.Snapshot)
    return peer


def shown(peer: "Peer | Shown") -> dict[int, dict[str, Any]]:
    """What a peer shows that believes snapshots, and changes only without a gap."""
    rows: dict[int, dict[str, Any]] = {}
    version = -1
    for frame in peer.log:
        if isinstance(frame, f.Snapshot):
            rows = {r["id"]: r for r in frame.rows}
        elif isinstance(frame, f.Event):
            assert frame.version == version + 1, "a gap"
            if frame.put is not None:
                rows[frame.put["id"]] = frame.put
            else:
                assert frame.drop is not None
                del rows[frame.drop]
        else:
            continue
        assert frame.version > version
        version = frame.version
    return rows


async def test_a_watcher_gets_a_snapshot_and_then_every_change() -> None:
    async with world() as w:
        listed = w.hub.lists.topic(TOPIC)
        listed.put(row(1, status="queued"))
        listed.put(row(2, status="queued"))
        peers = [await watcher(w, "a1"), await watcher(w, "a2", codec=MSGPACK)]
        listed.put(row(1, status="active"))
        listed.drop(2)
        listed.put(row(3))
        for peer in peers:
            await peer.expect(f.Event, version=listed.version)
            assert [e.version for e in peer.of(f.Event)] == [3, 4, 5]
            assert len(peer.of(f.Snapshot)) == 1
            assert shown(peer) == {1: row(1, status="active"), 3: row(3)}


async def test_what_changes_nothing_is_not_told() -> None:
    async with world() as w:
        listed = w.hub.lists.topic(TOPIC)
        listed.put(row(1, status="queued"))
        peer = await watcher(w)
        listed.put(row(1, status="queued"))
        listed.drop(77)
        await peer.until_answered()
        assert peer.of(f.Event) == []
        assert listed.version == 1


async def test_a_list_that_is_replaced_is_sent_as_a_snapshot() -> None:
    async with world() as w:
        listed = w.hub.lists.topic(TOPIC)
        listed.put(row(1))
        peer = await watcher(w)
        listed.replace([row(5), row(6)])
        assert [r["id"] for r in (await peer.expect(f.Snapshot)).rows] == [5, 6]
        listed.put(row(7))
        await peer.expect(f.Event)
        assert sorted(shown(peer)) == [5, 6, 7]


async def test_a_watcher_without_room_gets_a_snapshot_later_and_no_gap() -> None:
    limits = msgspec.structs.replace(LIMITS, outbox_frames_max=4, batch_frames_max=2)
    async with world(limits) as w:
        listed = w.hub.lists.topic(TOPIC)
        peer = await watcher(w, buffered_batches=0)
        quick = await watcher(w, "a2")
        for number in range(100):
            listed.put(row(number % 10, number=number))
        assert len(w.connection("a1").outbox) <= limits.outbox_frames_max
        snapshot = await peer.expect(f.Snapshot)
        assert snapshot.version == listed.version == 100
        listed.put(row(1, number=100))
        await peer.expect(f.Event)
        await quick.expect(f.Event, version=101)
        assert shown(peer) == shown(quick) == listed.rows
        assert len(peer.of(f.Event)) <= limits.outbox_frames_max + 2


async def test_a_watcher_that_missed_a_change_gets_none_before_its_snapshot() -> None:
    limits = msgspec.structs.replace(LIMITS, outbox_frames_max=8, batch_frames_max=2)
    async with world(limits) as w:
        listed = w.hub.lists.topic(TOPIC)
        peer = await watcher(w, buffered_batches=0)
        for number in range(20):
            listed.put(row(number))
        # One batch is on its way: there is room, but nothing was caught up with.
        await anyio.wait_all_tasks_blocked()
        assert w.connection("a1").outbox.has_room
        listed.put(row(20))
        await peer.expect(f.Snapshot)
        await peer.until_answered()
        assert shown(peer) == listed.rows


async def test_a_watcher_that_stops_is_told_nothing_more() -> None:
    async with world() as w:
        listed = w.hub.lists.topic(TOPIC)
        peer = await watcher(w)
        await peer.say(f.Unwatch(topic=TOPIC))
        await peer.until_answered()
        assert listed.watcher_count == 0
        listed.put(row(1))
        listed.replace([])
        await peer.until_answered()
        assert peer.of(f.Event) == []
        assert len(peer.of(f.Snapshot)) == 1


async def test_a_watcher_that_stops_without_room_gets_no_snapshot_later() -> None:
    limits = msgspec.structs.replace(LIMITS, outbox_frames_max=4)
    async with world(limits) as w:
        listed = w.hub.lists.topic(TOPIC)
        peer = await watcher(w, buffered_batches=0)
        for number in range(10):
            listed.put(row(number))
        await peer.say(f.Unwatch(topic=TOPIC))
        await anyio.wait_all_tasks_blocked()
        await peer.until_answered()
        assert len(peer.of(f.Snapshot)) == 1


async def test_a_watcher_that_is_gone_is_forgotten() -> None:
    async with world() as w:
        peer = await watcher(w)
        assert w.hub.lists.topic(TOPIC).watcher_count == 1
        peer.stream.cut()
        await peer.served.wait()
        assert w.hub.lists.topic(TOPIC).watcher_count == 0


async def test_who_may_not_watch_learns_no_more_than_that_there_is_nothing() -> None:
    async with world() as w:
        w.hub.lists.topic(TOPIC).put(row(1))
        visitor, agent = await w.peer("v1"), await w.peer("a1")
        await visitor.say(f.Watch(topic=TOPIC))
        await agent.say(f.Watch(topic="nothing"))
        refusals = [await p.expect(f.ErrorFrame) for p in (visitor, agent)]
        assert refusals[0] == refusals[1]
        assert refusals[0].code == "not_found"
        assert w.hub.lists.topic(TOPIC).watcher_count == 0
        assert w.hub.lists.find("nothing") is None


class Watching:
    """A watcher with or without room, and the identity of the bytes it was given."""

    def __init__(self, codec: Codec = JSON, *, has_room: bool = True) -> None:
        self.codec = codec
        self.has_room = has_room
        self.taken: list[f.Frame] = []
        self.shared: list[int] = []

    def deliver_list(self, frame: f.Frame, encoded: bytes | None) -> bool:
        if self.has_room:
            self.taken.append(frame)
            if encoded is not None:
                assert encoded == self.codec.encode(frame)
                self.shared.append(id(encoded))
        return self.has_room


async def test_a_change_is_encoded_once_for_each_codec() -> None:
    listed = WatchedList(TOPIC)
    watchers = [Watching(codec) for codec in (JSON, JSON, MSGPACK, MSGPACK)]
    for one in watchers:
        listed.watch(one)
    listed.put(row(1))
    json, json_too, msgpack, msgpack_too = [one.shared for one in watchers]
    assert json == json_too != msgpack == msgpack_too
    assert len(json) == len(msgpack) == 1


async def test_who_stopped_watching_without_room_is_not_caught_up() -> None:
    listed, watching = WatchedList(TOPIC), Watching(has_room=False)
    listed.watch(watching)
    listed.unwatch(watching)
    watching.has_room = True
    listed.has_room_again(watching)
    assert watching.taken == []


class Shown:
    """Keeps what a list delivers; has room or not."""

    codec: Codec = JSON

    def __init__(self) -> None:
        self.log: list[f.Frame] = []
        self.has_room = True

    def deliver_list(self, frame: f.Frame, encoded: bytes | None) -> bool:
        if self.has_room:
            self.log.append(frame)
        return self.has_room


def is_of(sites: frozenset[int], shown_row: Any) -> bool:
    return shown_row["site_id"] in sites


def test_who_sees_a_part_gets_that_part_with_versions_of_its_own() -> None:
    listed, whole, part = WatchedList(TOPIC), Shown(), Shown()
    listed.replace([row(1, site_id=1), row(2, site_id=2)])
    listed.watch(whole)
    listed.watch(part, frozenset({2}), is_of)
    assert listed.watcher_count == 2
    listed.put(row(3, site_id=1))
    listed.put(row(4, site_id=2))
    part.has_room = False
    listed.put(row(5, site_id=2))
    listed.put(row(4, site_id=1))
    part.has_room = True
    listed.has_room_again(part)
    listed.drop(3)
    listed.drop(5)
    assert set(shown(whole)) == set(listed.rows)
    assert set(shown(part)) == {2}
    listed.replace([row(9, site_id=2), row(8, site_id=1)])
    assert set(shown(part)) == {9}
    listed.unwatch(part)
    listed.unwatch(whole)
    assert listed.watcher_count == 0
    listed.put(row(10, site_id=2))
    assert set(shown(part)) == {9}


def test_nothing_is_seen_of_which_nobody_said_it_may_be() -> None:
    listed, part = WatchedList(TOPIC), Shown()
    listed.put(row(1, site_id=1))
    listed.watch(part, frozenset({1}))
    assert shown(part) == {}
