"""The end of a conversation: who ends it, who rates it, how often and how late."""

import anyio
import msgspec
import pytest

from kefu_core.client import Client, Rejected
from kefu_core.desk.ratings import RATINGS_MAX
from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.site import SiteSettings, Talk
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


async def closed(w: World) -> int:
    """Return a conversation of `v1` that an agent has answered and closed."""
    number = await w.conversation()
    await w.say(number, "v1", "question")
    await w.say(number, "a1", "answer")
    await w.say(number, "a1", "", MessageKind.CLOSE)
    return number


async def test_a_visitor_ends_and_rates_and_the_agent_sees_it_live() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await visitor.open_conversation()
        await w.say(number, "v1", "question")
        agent = await w.live("a1")
        await agent.send(f.Follow(conversation=number))
        await agent.until(f.Head)
        ended = await visitor.call("conversation.end", {"conversation": number})
        assert ended["conversation"]["status"] == "closed"
        again = await visitor.call("conversation.end", {"conversation": number})
        assert again == ended
        params = {"conversation": number, "score": 4, "comment": " good <b> "}
        rated = await visitor.call("conversation.rate", params)
        assert rated["score"] == 4
        assert rated["comment"] == "good <b>"
        assert rated["changes_left"] == RATINGS_MAX - 1
        while True:
            seen = await agent.until(f.MessageFrame)
            if seen.kind is MessageKind.RATING:
                break
        assert (seen.sender, seen.body, seen.data) == ("v1", "good <b>", {"score": 4})
        row = await w.store.find_conversation(number)
        assert row is not None
        assert row.status == "closed"
        assert row.waiting_since is None
        assert row.last_line == "question"
        agent.cut()


async def test_the_same_is_said_once_and_a_change_names_what_it_stands_for() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await closed(w)
        first = {"conversation": number, "score": 2, "comment": "slow"}
        one = await visitor.call("conversation.rate", first)
        assert await visitor.call("conversation.rate", first) == one
        for score in (3, 4, 5, 4):
            await visitor.call(
                "conversation.rate", {"conversation": number, "score": score}
            )
        log = await w.store.history(number)
        ratings = [m for m in log if m.kind is MessageKind.RATING]
        assert [m.data["score"] for m in ratings if m.data] == [2, 3, 4, 5, 4]
        assert [m.data.get("instead") for m in ratings if m.data] == [
            None,
            *[m.seq for m in ratings[:-1]],
        ]
        with pytest.raises(Rejected, match="changed 4 times") as refused:
            await visitor.call(
                "conversation.rate", {"conversation": number, "score": 1}
            )
        assert refused.value.wire_code == "conflict"


async def test_what_goes_on_or_ended_long_ago_is_not_rated() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await w.conversation()
        await w.say(number, "v1", "question")
        rate = {"conversation": number, "score": 5}
        with pytest.raises(Rejected, match="not closed"):
            await visitor.call("conversation.rate", rate)
        await w.say(number, "a1", "", MessageKind.CLOSE)
        now_ms = w.desk.now_ms
        w.desk.now_ms = lambda: now_ms() + 73 * HOUR_MS
        with pytest.raises(Rejected, match="too long ago"):
            await visitor.call("conversation.rate", rate)
        w.desk.now_ms = now_ms
        await visitor.call("conversation.rate", rate)
        # Each end has a rating of its own.
        await w.say(number, "v1", "one more thing")
        await w.say(number, "a1", "", MessageKind.CLOSE)
        assert (await visitor.call("conversation.rate", rate))["changes_left"] == 4
        assert len(await w.store.history(number)) == 6


async def test_two_tabs_that_rate_at_once_leave_the_last_word_to_one() -> None:
    async with world() as w, w.client("v1") as one, w.client("v1") as two:
        number = await closed(w)

        async def rate(client: Client, score: int) -> None:
            params = {"conversation": number, "score": score}
            await client.call("conversation.rate", params)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rate, one, 1)
            tasks.start_soon(rate, two, 5)
        log = await w.store.history(number)
        ratings = [m for m in log if m.kind is MessageKind.RATING]
        assert len({m.key for m in ratings}) == len(ratings) == 2
        assert ratings[1].data is not None
        assert ratings[1].data["instead"] == ratings[0].seq


async def test_a_site_that_asks_for_none_takes_none() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await closed(w)
        site = (await w.store.sites())[0]
        off = SiteSettings(talk=Talk(asks_rating=False))
        await w.store.put_site(msgspec.structs.replace(site, settings=off))
        with pytest.raises(Rejected) as refused:
            await visitor.call(
                "conversation.rate", {"conversation": number, "score": 5}
            )
        assert refused.value.wire_code == "forbidden"


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 0},
        {"score": 6},
        {"score": 4.5},
        {"score": True},
        {"score": 5, "comment": "x" * 1_001},
        {"score": 5, "comment": "\0"},
    ],
)
async def test_a_rating_is_one_to_five_with_a_short_comment(
    wrong: dict[str, object],
) -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await closed(w)
        with pytest.raises(Rejected) as refused:
            await visitor.call("conversation.rate", {"conversation": number, **wrong})
        assert refused.value.wire_code == "bad_request"
