"""Taking a message back: one's own, in time, gone for everybody, and only that one."""

import anyio
import msgspec
import pytest

from kefu_core.client import Client, Rejected
from kefu_core.model import MessageKind
from kefu_core.protocol import frames as f
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.site import SiteSettings, Talk
from kefu_core.types import Seq
from tests.core.desk.world import Wire, World, world

pytestmark = pytest.mark.anyio

K = MessageKind


async def said(w: World) -> int:
    """Return a conversation with two texts of the visitor and one of the agent."""
    number = await w.conversation()
    await w.say(number, "v1", "canary one")
    await w.say(number, "v1", "two")
    await w.say(number, "a1", "three")
    return number


async def follower(w: World, who: str, number: int) -> Wire:
    wire = await w.live(who)
    await wire.send(f.Follow(conversation=number))
    await wire.until(f.Head)
    return wire


async def test_what_is_taken_back_is_gone_and_those_who_follow_are_told() -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        agent = await follower(w, "a1", number)
        told = await visitor.call("message.recall", {"conversation": number, "seq": 1})
        assert told["recalled_seq"] == 1
        again = await visitor.call("message.recall", {"conversation": number, "seq": 1})
        assert again == told
        while True:
            seen = await agent.until(f.MessageFrame)
            if seen.kind is K.RECALL:
                break
        assert (seen.sender, seen.ref) == ("v1", 1)
        log = await w.store.history(number)
        assert [m.kind for m in log] == [K.ERASED, K.TEXT, K.TEXT, K.RECALL]
        assert "canary" not in str(log)
        late = await follower(w, "a2", number)
        await late.send(f.Fetch(id="1", conversation=number, after=Seq(0)))
        assert "canary" not in str(await late.until(f.Page))
        agent.cut()
        late.cut()


async def test_two_tabs_that_take_the_same_back_leave_the_next_message_alone() -> None:
    async with world() as w, w.client("v1") as one, w.client("v1") as two:
        number = await said(w)

        async def recall(client: Client) -> None:
            await client.call("message.recall", {"conversation": number, "seq": 1})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recall, one)
            tasks.start_soon(recall, two)
        kinds = [m.kind for m in await w.store.history(number)]
        assert kinds == [K.ERASED, K.TEXT, K.TEXT, K.RECALL]


async def test_nobody_takes_back_what_another_has_sent_or_what_is_no_message() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        number = await said(w)
        await w.say(number, "a1", "", K.CLOSE)
        for client, seq in ((visitor, 3), (agent, 1), (agent, 4), (agent, 99)):
            params = {"conversation": number, "seq": seq}
            with pytest.raises(Rejected) as refused:
                await client.call("message.recall", params)
            assert refused.value.wire_code == "not_found"
        assert K.ERASED not in [m.kind for m in await w.store.history(number)]


@pytest.mark.parametrize(
    ("within_s", "late_s", "code"), [(120, 121, "conflict"), (0, 0, "forbidden")]
)
async def test_it_is_for_a_while_and_where_the_site_allows_it(
    within_s: int, late_s: int, code: str
) -> None:
    async with world() as w, w.client("v1") as visitor:
        number = await said(w)
        site = (await w.store.sites())[0]
        settings = SiteSettings(talk=Talk(recall_within_s=within_s))
        await w.store.put_site(msgspec.structs.replace(site, settings=settings))
        now_ms = w.desk.now_ms
        w.desk.now_ms = lambda: now_ms() + late_s * 1000
        with pytest.raises(Rejected) as refused:
            await visitor.call("message.recall", {"conversation": number, "seq": 1})
        assert refused.value.wire_code == code
        assert (await w.store.history(number))[0].body == "canary one"


async def test_a_file_is_given_up_and_a_note_stays_hidden() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation()
        await w.say(number, "a1", "canary", K.NOTE)
        await w.store.put_records(
            Attachment(
                id=5,
                site_id=1,
                conversation_id=number,
                uploader="a1",
                key="k",
                name="canary.pdf",
                media_type="application/pdf",
                size=1,
                status=AttachmentStatus.LINKED,
            )
        )
        row = await w.store.find_conversation(number)
        assert row is not None
        await w.say(number, "a1", "canary.pdf", K.FILE, {"file": 5})
        for seq in (1, 2):
            await agent.call("message.recall", {"conversation": number, "seq": seq})
        found = await w.store.find_record(Attachment, 5)
        assert found is not None
        assert (found.status, found.name) == (AttachmentStatus.DROPPED, "")
        visitor = await follower(w, "v1", number)
        await visitor.send(f.Fetch(id="1", conversation=number, after=Seq(0)))
        page = await visitor.until(f.Page)
        assert isinstance(page, f.Page)
        assert page.messages[0].kind is K.PLACEHOLDER
        assert page.messages[1].kind is K.ERASED
        visitor.cut()
