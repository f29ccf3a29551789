"""Editing in place: one's own, in time, with the earlier text at hand."""

from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.abc.archive import SearchQuery
from kefu_core.client import Rejected
from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.site import SiteSettings, Talk
from kefu_core.types import Seq
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

K = MessageKind


async def said(w: World) -> int:
    """Return a conversation with two texts of the visitor and one of the agent."""
    number = await w.conversation()
    await w.say(number, "v1", "fiirst")
    await w.say(number, "v1", "two")
    await w.say(number, "a1", "three")
    return number


def edit(number: int, seq: int, body: str, key: str = "k") -> dict[str, Any]:
    return {"conversation": number, "seq": seq, "key": key, "body": body}


async def test_the_new_text_is_a_line_of_the_log_and_the_old_one_stays() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        agent = await w.live("a1")
        await agent.send(f.Follow(conversation=number))
        await agent.until(f.Head)
        told = await visitor.call("message.edit", edit(number, 1, "first"))
        assert told == {"conversation": number, "seq": 4, "edited_seq": 1}
        while True:
            seen = await agent.until(f.MessageFrame)
            if seen.seq == 4:
                break
        assert (seen.kind, seen.sender, seen.ref) == (K.EDIT, "v1", 1)
        assert seen.body == "first"
        # Asked again it is the same edit; the same text is none; another one is.
        assert await visitor.call("message.edit", edit(number, 1, "first")) == told
        same = edit(number, 1, "first", "another")
        assert await visitor.call("message.edit", same) == told
        await visitor.call("message.edit", edit(number, 1, "1st", "third"))
        log = await w.store.history(number)
        assert [m.body for m in log] == ["fiirst", "two", "three", "first", "1st"]
        assert w.rows[number]["last_line"] == "three"
        found = await w.store.search(SearchQuery(text="first"))
        assert [hit.message.seq for hit in found.hits] == [4]
        agent.cut()


async def test_the_list_shows_the_newest_text_as_it_was_edited() -> None:
    async with world() as w, w.client("a1") as agent, w.client("v1") as visitor:
        number = await said(w)
        await agent.call("message.edit", edit(number, 3, "THREE"))
        assert w.rows[number]["last_line"] == "THREE"
        await visitor.call("message.edit", edit(number, 2, "TWO"))
        assert w.rows[number]["last_line"] == "THREE"
        row = await w.store.find_conversation(number)
        assert row is not None
        # Nobody waits because of it.
        assert row.waiting_since is None
        assert w.rows[number]["unread"] == 2


async def test_nobody_edits_what_another_has_sent_or_what_is_no_text() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        number = await said(w)
        await w.say(number, "a1", "a.pdf", K.FILE, {"file": 5})
        await w.say(number, "v1", "", K.CLOSE)
        await visitor.call("message.edit", edit(number, 1, "first"))
        for client, seq in (
            (visitor, 3),
            (agent, 1),
            (agent, 4),
            (visitor, 5),
            (visitor, 6),
        ):
            with pytest.raises(Rejected) as refused:
                await client.call("message.edit", edit(number, seq, "x"))
            assert refused.value.wire_code == "not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [(" ", "bad_request"), ("x\0", "bad_request"), ("x" * 5_001, "too_large")],
)
async def test_what_may_not_be_sent_is_not_made_of_what_was(
    body: str, code: str
) -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        with pytest.raises(Rejected) as refused:
            await visitor.call("message.edit", edit(number, 1, body))
        assert refused.value.wire_code == code
        assert len(await w.store.history(number)) == 3


@pytest.mark.parametrize(
    ("within_s", "late_s", "code"), [(900, 901, "conflict"), (0, 0, "forbidden")]
)
async def test_it_is_for_a_while_and_where_the_site_allows_it(
    within_s: int, late_s: int, code: str
) -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        await visitor.call("message.edit", edit(number, 1, "in time", "early"))
        site = (await w.store.sites())[0]
        settings = SiteSettings(talk=Talk(edit_within_s=within_s))
        await w.store.put_site(msgspec.structs.replace(site, settings=settings))
        now_ms = w.desk.now_ms
        w.desk.now_ms = lambda: now_ms() + late_s * 1000
        with pytest.raises(Rejected) as refused:
            await visitor.call("message.edit", edit(number, 1, "late"))
        assert refused.value.wire_code == code
        # Whoever had no answer is told of what was done in time.
        await visitor.call("message.edit", edit(number, 1, "in time", "early"))


async def test_a_note_that_is_edited_stays_a_note() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await said(w)
        await w.say(number, "a1", "note", K.NOTE)
        await agent.call("message.edit", edit(number, 4, "canary"))
        log = await w.store.history(number)
        assert (log[4].kind, log[4].body) == (K.NOTE_EDIT, "canary")
        assert w.rows[number]["last_line"] == "three"
        for _ in range(2):
            visitor = await w.live("v1")
            await visitor.send(f.Fetch(id="1", conversation=number, after=Seq(3)))
            page = await visitor.until(f.Page)
            assert [m.kind for m in page.messages[:2]] == [K.PLACEHOLDER] * 2
            assert {m.ref for m in page.messages[:2]} == {None}
            visitor.cut()
            # Taken back it stays one as well.
            await agent.call("message.recall", {"conversation": number, "seq": 4})


async def test_what_is_taken_back_takes_its_edits_with_it() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        await visitor.call("message.edit", edit(number, 1, "canary"))
        await visitor.call("message.recall", {"conversation": number, "seq": 1})
        log = await w.store.history(number)
        assert [m.kind for m in log[3:]] == [K.ERASED, K.RECALL]
        assert not (await w.store.search(SearchQuery(text="canary"))).hits
        with pytest.raises(Rejected) as refused:
            await visitor.call("message.edit", edit(number, 1, "again", "other"))
        assert refused.value.wire_code == "conflict"


async def test_an_edit_that_meets_a_recall_leaves_nothing() -> None:
    async with world() as w, w.client("v1") as one, w.client("v1") as two:
        number = await said(w)
        append = w.hub.append

        async def slow(draft: Any, *args: Any, **kwargs: Any) -> Any:
            if draft.kind is K.EDIT:
                await one.call("message.recall", {"conversation": number, "seq": 1})
            return await append(draft, *args, **kwargs)

        w.hub.append = slow  # type: ignore[method-assign]
        with pytest.raises(Rejected) as refused, anyio.fail_after(5):
            await two.call("message.edit", edit(number, 1, "canary"))
        assert refused.value.wire_code == "conflict"
        assert "canary" not in str(await w.store.history(number))
