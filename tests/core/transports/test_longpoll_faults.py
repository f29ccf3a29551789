"""What goes wrong with requests, and that nothing comes of it."""

import math

import anyio
import anyio.lowlevel
import msgspec
import pytest

from kefu_core.protocol import frames as f
from kefu_core.types import Seq
from tests.core.hub.world import Gate
from tests.core.transports.polling import QUICK, Answer, Poller, PollWorld, poll_world

pytestmark = pytest.mark.anyio


async def when_held(w: PollWorld, poller: Poller) -> None:
    """Wait until a poll of this session is held."""
    with anyio.fail_after(10):
        while w.app._sessions[poller.session].held is None:
            await anyio.sleep(0.001)


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_an_answer_cut_at_any_byte_is_said_again_in_the_same_bytes(
    codec: str,
) -> None:
    async with poll_world() as w:
        poller = await w.follower(codec)
        await w.world.append(w.conversation, *(f"m{n}" for n in range(8)))
        whole = await poller.poll(3, ack=2, wait=20.0)
        assert len(whole.of("message")) == 8
        for length in range(len(whole.body)):
            # What was cut cannot be taken for an answer, so it is asked for again.
            cut = Answer(200, whole.body[:length], {}, codec)
            with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
                _ = cut.parsed
            again = await poller.poll(4 + length, ack=2)
            assert again.body == whole.body
        after = await poller.poll(10_000, ack=whole.batches[-1]["n"])
        assert after.frames == []


async def test_retained_batches_are_the_same_bytes_when_more_came() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await w.world.append(w.conversation, "first")
        one = await poller.poll(3, ack=2, wait=20.0)
        await w.world.append(w.conversation, "second")
        number, two = 4, one
        while len(two.of("message")) < 2:
            await anyio.sleep(0.001)
            two = await poller.poll(number, ack=2)
            number += 1
        assert two.batches[: len(one.batches)] == one.batches
        assert two.body.startswith(one.body.removesuffix(b"]}"))
        assert [m["body"] for m in two.of("message")] == ["first", "second"]


async def test_what_is_said_between_two_polls_comes_with_the_next() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await w.world.append(w.conversation, "between")
        answer = await poller.poll(3, ack=2, wait=20.0)
        assert [m["body"] for m in answer.of("message")] == ["between"]


async def test_a_repeated_request_is_answered_by_the_same_bytes_and_done_once() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        body = poller.up_body(2, w.send(1), ack=2)
        first = await poller.post(body)
        second = await poller.post(body)
        assert first.body == second.body
        assert len(first.of("sent")) == 1
        assert w.log() == ["m1"]


async def test_a_request_repeated_while_the_first_one_runs_joins_it() -> None:
    async with poll_world(msgspec.structs.replace(QUICK, poll_answer_s=5.0)) as w:
        poller = w.poller()
        await poller.begin()
        gate = w.store.before["find_conversation"] = Gate()
        body = poller.up_body(1, w.send(1), ack=1)
        answers: list[Answer] = []

        async def post() -> None:
            answers.append(await poller.post(body))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(post)
            await gate.arrived.wait()
            tasks.start_soon(post)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            gate.opened.set()
        assert answers[0].body == answers[1].body
        assert len(answers[0].of("sent")) == 1
        assert w.log() == ["m1"]


async def test_a_client_that_gives_up_does_not_stop_its_request() -> None:
    async with poll_world(msgspec.structs.replace(QUICK, poll_answer_s=5.0)) as w:
        poller = w.poller()
        await poller.begin()
        gate = w.store.before["find_conversation"] = Gate()
        body = poller.up_body(1, w.send(1), ack=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poller.post, body)
            await gate.arrived.wait()
            tasks.cancel_scope.cancel()
            gate.opened.set()
        again = await poller.post(body)
        assert len(again.of("sent")) == 1
        assert w.log() == ["m1"]


async def test_a_zombie_poll_that_arrives_last_takes_nothing() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await poller.poll(5, ack=2)
        await w.world.append(w.conversation, "for the living")
        zombie = await poller.poll(4, ack=2, wait=20.0)
        assert zombie.parsed == {"superseded": True}
        living = await poller.poll(6, ack=2, wait=20.0)
        assert [m["body"] for m in living.of("message")] == ["for the living"]


async def test_of_two_polls_at_once_the_newer_one_holds() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        older: list[Answer] = []

        async def hold() -> None:
            older.append(await poller.poll(3, ack=2, wait=20.0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            await when_held(w, poller)
            first = w.app._sessions[poller.session].held
            newer: list[Answer] = []

            async def take_over() -> None:
                newer.append(await poller.poll(4, ack=2, wait=20.0))

            tasks.start_soon(take_over)
            with anyio.fail_after(10):
                while not older:
                    await anyio.sleep(0.001)
            assert w.app._sessions[poller.session].held is not first
            await w.world.append(w.conversation, "m")
        assert older[0].parsed == {"superseded": True}
        assert [m["body"] for m in newer[0].of("message")] == ["m"]


async def test_a_forged_batch_number_is_refused_and_the_session_lives() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        for answer in (
            await poller.poll(3, ack=3),
            await poller.up(2, w.send(1), ack=99),
        ):
            assert answer.status == 409
            assert answer.parsed["expect"] == 2
        assert w.log() == []
        assert (await poller.up(2, w.send(1), ack=2)).of("sent")


async def test_a_replayed_acknowledgement_changes_nothing() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await w.world.append(w.conversation, "m")
        answer = await poller.poll(3, ack=0, wait=20.0)
        assert [m["body"] for m in answer.of("message")] == ["m"]
        assert (await poller.poll(4, ack=1)).body == answer.body


async def test_a_request_out_of_turn_is_refused_with_the_number_expected() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        answer = await poller.up(7, w.send(1), ack=2)
        assert (answer.status, answer.parsed["expect"]) == (409, 2)
        assert w.log() == []


async def test_anothers_session_and_an_unknown_one_get_the_same_answer() -> None:
    async with poll_world() as w:
        mine = w.poller(cookie="kefu_session=mine", authorization="Bearer mine")
        await mine.begin()
        answers = []
        for session, headers in (
            (mine.session, {"cookie": "kefu_session=theirs"}),
            (mine.session, {"authorization": "Bearer theirs"}),
            ("no-such-session", {}),
        ):
            thief = w.poller(
                **{
                    "cookie": "kefu_session=mine",
                    "authorization": "Bearer mine",
                    **headers,
                }
            )
            thief.session = session
            answers.append(await thief.poll(2, ack=1))
            answers.append(await thief.up(1, w.send(1), ack=1))
        assert {answer.status for answer in answers} == {410}
        assert len({answer.body for answer in answers}) == 1
        assert len({str(answer.headers) for answer in answers}) == 1
        assert (await mine.up(1, w.send(1), ack=1)).of("sent")


async def test_another_node_adopts_a_session_in_one_answer() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await w.world.append(w.conversation, "m1", "m2")
        async with poll_world() as other:
            other.hub.store = other.world.handler.store = w.store
            there = other.poller()
            there.session = poller.session
            frame = f.Hello(token="v1", cursors={w.conversation: f.Seq(1)})
            hello = {"t": "hello", **msgspec.to_builtins(frame, str_keys=True)}
            answer = await there.post(
                there.encode(poll=9, ack=2, wait=20.0, hello=hello)
            )
            assert answer.status == 200
            assert answer.headers["kefu-session"] != poller.session
            there.session = answer.headers["kefu-session"]
            frames = answer.frames
            if not answer.of("message"):
                frames += (await there.poll(10, ack=1, wait=20.0)).frames
            assert frames[0]["t"] == "welcome"
            assert frames[0]["resumed"]
            assert [x["body"] for x in frames if x["t"] == "message"] == ["m2"]
            assert answer.batches[0]["n"] == 1
            # A receipt may be the first news: then `sent` comes with a poll.
            answer, number = await there.up(1, w.send(1)), 11
            with anyio.fail_after(10):
                while not answer.of("sent"):
                    answer = await there.poll(number, ack=1, wait=20.0)
                    number += 1


async def test_more_frames_than_allowed_are_refused_and_none_is_processed() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        answer = await poller.up(2, *(w.send(n) for n in range(1, 130)), ack=2)
        assert (answer.status, answer.parsed["error"]) == (413, "too_large")
        assert w.log() == []
        assert (await poller.up(2, w.send(1), ack=2)).of("sent")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        assert (await poller.post(b"x" * 100_000)).status == 413
        assert (await poller.post(b"{}", content_length="100000")).status == 413


async def test_a_session_that_nobody_uses_frees_everything() -> None:
    limits = msgspec.structs.replace(QUICK, poll_session_s=30.0, poll_opening_s=5.0)
    async with poll_world(limits) as w:
        used, opened = await w.follower(), w.poller()
        await opened.begin()
        assert (w.hub.connection_count, w.app.session_count) == (2, 2)
        w.world.skipped_s = 6.0
        await until(w, sessions=1)
        assert (await opened.poll(2, ack=1)).status == 410
        w.world.skipped_s = 40.0
        await until(w, sessions=0)
        assert (await used.poll(3, ack=2)).status == 410
        assert w.hub.connection_count == 0
        assert not w.app._addresses._open


async def until(w: PollWorld, *, sessions: int) -> None:
    with anyio.fail_after(10):
        while w.app.session_count != sessions or w.hub.connection_count != sessions:
            await anyio.sleep(0.01)


async def test_who_sends_and_never_polls_is_told_to_poll() -> None:
    limits = msgspec.structs.replace(QUICK, poll_retained_frames_max=10)
    async with poll_world(limits) as w:
        poller = await w.follower()
        rid = 1
        with anyio.fail_after(10):
            while True:
                rid += 1
                answer = await poller.up(rid, w.send(rid - 1), ack=2)
                if answer.status != 200:
                    break
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) >= 1
        stored = w.log()
        assert stored == [f"m{n}" for n in range(1, rid - 1)]
        kept = await poller.poll(50, ack=2)
        assert (await poller.up(rid, w.send(rid - 1), ack=kept.batches[-1]["n"])).of(
            "sent"
        )


async def test_what_does_not_fit_is_read_from_the_store_when_there_is_room() -> None:
    limits = msgspec.structs.replace(QUICK, poll_retained_frames_max=10)
    async with poll_world(limits) as w:
        poller = await w.follower()
        await w.world.append(w.conversation, *(f"m{n}" for n in range(900)))
        channel = w.app._sessions[poller.session].channel
        assert channel._frames <= 10 + limits.batch_frames_max
        ack, number, bodies = 2, 3, []
        while len(bodies) < 900:
            answer = await poller.poll(number, ack=ack, wait=20.0)
            bodies += [m["body"] for m in answer.of("message")]
            ack, number = answer.batches[-1]["n"], number + 1
        assert bodies == [f"m{n}" for n in range(900)]


async def test_a_drain_answers_the_held_poll_and_the_session_ends() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        frames = []
        async with anyio.create_task_group() as tasks:

            async def hold() -> None:
                ack, number = 2, 3
                while not frames or frames[-1]["t"] != "closed":
                    answer = await poller.poll(number, ack=ack, wait=20.0)
                    frames.extend(answer.frames)
                    ack = answer.batches[-1]["n"] if answer.batches else ack
                    number += 1

            tasks.start_soon(hold)
            await when_held(w, poller)
            await w.hub.drain()
        assert frames[-1]["code"] == 4200
        assert (await w.poller().begin()).status == 503


async def test_a_drain_waits_for_who_is_between_two_polls_but_not_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kefu_core.transports.longpoll.stream.TOLD_S", 0.3)
    async with poll_world() as w:
        poller, gone = await w.follower(), await w.follower()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(w.hub.drain)
            while not all(stream.is_closed for stream in w.app._sessions.values()):
                await anyio.lowlevel.checkpoint()
            assert w.hub.connection_count == 2
            told = await poller.poll(3, ack=2, wait=20.0)
            assert [each["t"] for each in told.frames][-2:] == ["drain", "closed"]
        assert w.hub.connection_count == 0
        assert w.app._sessions[gone.session].channel.has_pending


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_encoding": "gzip"}, 415),
        ({"content_encoding": "br"}, 415),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/msgpack"}, 400),
    ],
)
async def test_bodies_that_are_not_ours_are_refused(
    headers: dict[str, str], status: int
) -> None:
    async with poll_world() as w:
        poller = await w.follower()
        answer = await poller.post(poller.encode(poll=3, ack=2, wait=0), **headers)
        assert answer.status == status
        assert w.hub.counts.refused == {("longpoll", str(status)): 1}
        assert (await poller.poll(3, ack=2)).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"poll": 1, "rid": 1},
        {"poll": 0},
        {"rid": -1},
        {"poll": 3, "ack": -1},
        {"poll": 3, "wait": -1},
        {"poll": 3, "wait": 1e9},
        {"poll": 3, "frames": [{"t": "ping"}]},
        {"poll": "3"},
    ],
)
async def test_requests_that_make_no_sense_are_refused(fields: dict) -> None:
    async with poll_world() as w:
        poller = await w.follower()
        assert (await poller.post(msgspec.json.encode(fields))).status == 400
        assert (await poller.post(b"\xff\x00garbage")).status == 400
        assert (await poller.post(b"", method="GET")).headers["allow"] == "POST"
        assert (await poller.poll(3, ack=2)).status == 200


async def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    limits = msgspec.structs.replace(QUICK, poll_body_s=0.05)
    async with poll_world(limits) as w:
        poller = await w.follower()
        answer = await poller.post(b"{", body_pause=anyio.Event())
        assert answer.status == 408
        assert w.hub.counts.refused == {("longpoll", "408"): 1}


async def test_a_poll_is_held_for_its_wait_less_some_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    real = anyio.move_on_after

    def noted(delay: float, shield: bool = False) -> object:
        if math.isclose(delay, 20.0, rel_tol=0.21):
            asked.append(delay)
            delay = 0.001
        return real(delay, shield=shield)

    async with poll_world() as w:
        poller = await w.follower()
        monkeypatch.setattr(
            "kefu_core.transports.longpoll.server.anyio.move_on_after", noted
        )
        for number in range(3, 33):
            answer = await poller.poll(number, ack=2, wait=25.0)
            assert answer.parsed == {}
        monkeypatch.undo()
    assert all(16.0 <= delay <= 20.0 for delay in asked)
    assert max(asked) - min(asked) > 1.0


async def test_two_hellos_are_one_session() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await poller.up(2, f.Hello(token="v1"), ack=2)
        answer = await poller.poll(3, ack=2, wait=20.0)
        assert answer.of("error")[0]["code"] == "bad_request"
        assert w.app.session_count == w.hub.connection_count == 1


async def test_answers_may_not_be_kept_nor_held_up_by_a_proxy() -> None:
    async with poll_world() as w:
        answer = await w.poller().begin()
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["content-length"] == str(len(answer.body))


async def test_a_held_poll_holds_no_connection_of_the_store() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poller.poll, 3, 2, 20.0)
            await when_held(w, poller)
            assert w.hub.catchup_limiter.borrowed_tokens == 0
            assert w.store.statistics().appends_waiting == 0
            tasks.cancel_scope.cancel()


async def test_who_slept_for_an_hour_begins_anew_and_misses_nothing() -> None:
    async with poll_world() as w:
        poller = await w.follower()
        await w.world.append(w.conversation, "unread")
        w.world.skipped_s += 3_600.0
        with anyio.fail_after(10):
            while w.app.session_count:
                await anyio.sleep(0.01)
        await w.world.append(w.conversation, "said meanwhile")
        asked = await poller.poll(3, ack=2)
        assert (asked.status, asked.parsed["error"]) == (410, "no_session")
        woken = w.poller()
        answer = await woken.begin(cursors={w.conversation: Seq(0)})
        assert answer.of("welcome")[0]["resumed"]
        bodies: list[str] = []
        number = 1
        with anyio.fail_after(10):
            while len(bodies) < 2:
                bodies += [m["body"] for m in answer.of("message")]
                ack, number = answer.batches[-1]["n"], number + 1
                if len(bodies) < 2:
                    answer = await woken.poll(number, ack=ack, wait=20.0)
        assert bodies == ["unread", "said meanwhile"]
