"""Answering what was left: one mail, or one text in the visitor's conversation."""

from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.abc.outgoing import MailRules
from kefu_core.client import Rejected
from kefu_core.desk.letters import one_line
from kefu_core.model import ConversationStatus, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.records import DeliveryStatus, Mail, OfflineMessage
from kefu_core.site import Letters
from kefu_core.types import ConversationId, ParticipantId
from kefu_core.upkeep.erasing import erase_visitor
from tests.core.desk.test_offline import LEAVE, open_rows
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

RULES = MailRules(sender="kefu@shop.example")
ANSWER = {"text": "明天九点。", "key": "answer_0001"}


async def left(w: World, **changed: Any) -> int:
    async with w.client("v1") as visitor:
        return int((await visitor.call("offline.leave", {**LEAVE, **changed}))["id"])


async def told_by_mail(w: World, *addresses: str) -> None:
    (site, _) = await w.store.sites()
    letters = Letters(notices_to=addresses)
    settings = msgspec.structs.replace(site.settings, letters=letters)
    name = "山茶\r\nBcc: x@y.example"
    await w.store.put_site(msgspec.structs.replace(site, name=name, settings=settings))


async def test_an_answer_by_mail_waits_in_the_store_and_handles_the_message() -> None:
    async with world() as w, w.client("a1") as agent:
        w.desk.mail = RULES
        number = await left(w)
        answered = await agent.call(
            "offline.answer_by_mail", {"message": number, **ANSWER}
        )
        assert answered["mail"]["status"] == "queued"
        assert answered["message"]["status"] == "handled"
        assert open_rows(w) == []
        (mail,) = await w.store.list_records(Mail)
        assert mail.recipient == "li@example.cn"
        assert mail.body.startswith("明天九点。\n\n")
        assert "> 你们几点上班？" in mail.body
        listed = await agent.call("offline.list")
        assert listed["mails"] == [answered["mail"]]
        assert listed["mail_problem"] == ""


async def test_answering_twice_with_one_key_sends_one_mail() -> None:
    async with world() as w, w.client("a1") as agent:
        w.desk.mail = RULES
        number = await left(w)
        params = {"message": number, **ANSWER}
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(agent.call, "offline.answer_by_mail", params)
        assert len(await w.store.list_records(Mail)) == 1
        await agent.call("offline.answer_by_mail", {**params, "key": "answer_0002"})
        assert len(await w.store.list_records(Mail)) == 2


async def test_without_a_mail_server_it_is_not_offered_and_says_why() -> None:
    async with world() as w, w.client("a1") as agent:
        number = await left(w)
        assert "no [mail] host" in (await agent.call("offline.list"))["mail_problem"]
        with pytest.raises(Rejected, match="mail"):
            await agent.call("offline.answer_by_mail", {"message": number, **ANSWER})
        assert open_rows(w) == [number]


async def test_without_an_address_nobody_can_be_answered_by_mail() -> None:
    async with world() as w, w.client("a1") as agent:
        w.desk.mail = RULES
        number = await left(w, email="", phone="+86 10 1234")
        with pytest.raises(Rejected, match="no e-mail address"):
            await agent.call("offline.answer_by_mail", {"message": number, **ANSWER})


async def test_a_sites_people_are_told_and_their_reply_goes_to_the_visitor() -> None:
    async with world() as w:
        w.desk.mail = RULES
        await told_by_mail(w, "people@shop.example", "boss@shop.example")
        number = await left(w)
        mails = await w.store.list_records(Mail, after=0)
        assert [mail.recipient for mail in mails] == [
            "people@shop.example",
            "boss@shop.example",
        ]
        for mail in mails:
            assert (mail.about, mail.reply_to) == (number, "li@example.cn")
            assert "李雷" in mail.subject
            assert "你们几点上班？" in mail.body
            assert "\n" not in mail.subject + mail.sender_name


async def test_what_could_not_be_sent_is_sent_again_by_hand() -> None:
    async with world() as w, w.client("a1") as agent:
        mail = Mail(id=9, recipient="a@b.example", status=DeliveryStatus.FAILED)
        await w.store.put_records(mail)
        again = await agent.call("mail.resend", {"mail": 9})
        assert (again["mail"]["status"], again["mail"]["attempts"]) == ("queued", 0)
        done = msgspec.structs.replace(mail, status=DeliveryStatus.DONE)
        await w.store.put_records(done)
        assert (await agent.call("mail.resend", {"mail": 9}))["mail"]["status"] == (
            "done"
        )


async def test_the_message_stands_in_the_conversation_once_and_is_taken() -> None:
    async with world() as w, w.client("a1") as agent:
        tab = await w.live("v1")
        number = await left(w)
        method, params = "offline.answer_by_conversation", {"message": number}
        answers = []
        for _ in range(3):
            answers.append(await agent.call(method, params))
        row = answers[0]["conversation"]
        assert (row["assignee"], row["status"], row["visitor_name"]) == (
            "a1",
            "active",
            "李雷",
        )
        assert answers[0]["message"]["conversation"] == row["id"]
        log = await w.store.history(ConversationId(row["id"]))
        assert [(m.kind, m.sender) for m in log] == [
            (MessageKind.TEXT, "v1"),
            (MessageKind.ASSIGNMENT, "a1"),
        ]
        assert (log[0].body, log[0].data) == ("你们几点上班？", {"left": number})
        # The visitor's page learns of the conversation and follows it.
        head = await tab.until(f.Head)
        assert head.conversation == row["id"]
        tab.cut()


async def test_a_conversation_that_exists_goes_on_even_when_it_was_closed() -> None:
    async with world() as w, w.client("a1") as agent:
        conversation = await w.conversation("v1")
        await w.say(conversation, "v1", "before")
        await agent.call("conversation.close", {"conversation": conversation})
        number = await left(w)
        answer = await agent.call("offline.answer_by_conversation", {"message": number})
        assert answer["conversation"]["id"] == conversation
        row = await w.store.find_conversation(conversation)
        assert row is not None
        assert row.status is ConversationStatus.ACTIVE


async def test_where_another_agent_is_at_it_the_visitor_stays_there() -> None:
    async with world() as w, w.client("a1") as agent, w.client("a2") as other:
        conversation = await w.conversation("v1")
        await other.call("conversation.take", {"conversation": conversation})
        number = await left(w)
        answer = await agent.call("offline.answer_by_conversation", {"message": number})
        assert answer["conversation"]["assignee"] == "a2"
        log = await w.store.history(conversation)
        assert [m.body for m in log if m.kind is MessageKind.TEXT] == ["你们几点上班？"]


async def test_two_agents_who_press_at_once_say_it_once() -> None:
    async with world() as w, w.client("a1") as agent, w.client("a2") as other:
        number = await left(w)
        method, params = "offline.answer_by_conversation", {"message": number}
        async with anyio.create_task_group() as tasks:
            for each in (agent, other):
                tasks.start_soon(each.call, method, params)
        (row,) = w.rows.values()
        log = await w.store.history(ConversationId(row["id"]))
        assert sum(m.kind is MessageKind.TEXT for m in log) == 1
        assert sum(m.kind is MessageKind.ASSIGNMENT for m in log) == 1


async def test_what_an_erased_visitor_left_is_gone_with_the_mail_about_it() -> None:
    async with world() as w, w.client("a1") as agent:
        w.desk.mail = RULES
        number = await left(w)
        await agent.call("offline.answer_by_mail", {"message": number, **ANSWER})
        await erase_visitor(w.store, ParticipantId("v1"))
        assert await w.store.list_records(OfflineMessage) == []
        assert await w.store.list_records(Mail) == []


async def test_admins_say_what_a_site_does_while_nobody_is_there() -> None:
    async with world() as w, w.client("a2") as admin:
        put = {"site": 1, "may_chat": False, "notices_to": [" a@b.example "]}
        row = (await admin.call("absence.put", put))["row"]
        assert row["notices_to"] == ["a@b.example"]
        assert (await admin.call("absence.list"))["rows"][0] == row
        for wrong in ({"notices_to": ["no address"]}, {"site": 99}):
            with pytest.raises(Rejected):
                await admin.call("absence.put", {**put, **wrong})


def test_a_line_of_a_header_has_no_breaks_and_an_end() -> None:
    assert one_line("a\r\nBcc: b\0\u2028c", 100) == "a Bcc: b c"
    assert len(one_line("x" * 300, 200)) == 200
