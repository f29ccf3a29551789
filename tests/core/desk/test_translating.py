"""Either side switches translations on and off; agents look at them before sending."""

from typing import Any

import pytest
from msgspec.structs import replace

from kefu_core.abc.translator import (
    Interpreter,
    Preview,
    Reading,
    TranslationFailed,
    Trouble,
)
from kefu_core.client import Client, Rejected
from kefu_core.desk.translating import GLANCES_BURST, PREVIEWS_BURST
from kefu_core.errors import TooMany
from kefu_core.model import Conversation, MessageKind, Site
from kefu_core.site import SiteSettings, Translation
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import PRINCIPALS, World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def switch(client: Client, number: int, is_on: Any = None) -> tuple[bool, bool]:
    params = {"conversation": number} | ({} if is_on is None else {"is_on": is_on})
    told = await client.call("conversation.translate", params)
    assert told["conversation"] == number
    return told["is_translated"], told["visitor_reads_translations"]


async def test_agents_switch_it_for_both_and_a_visitor_for_itself() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        number = await w.conversation()
        assert await switch(visitor, number) == (True, True)
        assert await switch(visitor, number, False) == (True, False)
        assert await switch(agent, number, False) == (False, False)
        # All tabs of all agents see it, and what is asked twice is written once.
        row = w.rows[number]
        told = row["is_translated"], row["visitor_reads_translations"]
        assert told == (False, False)
        assert await switch(agent, number, False) == (False, False)
        assert await switch(agent, number, True) == (True, False)
        log = await w.store.history(number)
        assert [(m.kind, m.sender, m.data) for m in log] == [
            (MessageKind.TRANSLATING, "v1", {"is_on": False}),
            (MessageKind.TRANSLATING, "a1", {"is_on": False}),
            (MessageKind.TRANSLATING, "a1", {"is_on": True}),
        ]


async def test_nobody_switches_what_is_not_theirs() -> None:
    async with world() as w, w.client("v2") as other:
        number = await w.conversation()
        with pytest.raises(Rejected) as refused:
            await switch(other, number, False)
        assert refused.value.wire_code == "not_found"
        assert not await w.store.history(number)


class Words(Interpreter):
    """Says everything backwards, or why not."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self.asked: list[tuple[int, str]] = []
        self.looked: list[ConversationId] = []
        self.read_as: list[Reading] = []

    def look_again(self, conversation: ConversationId) -> None:
        self.looked.append(conversation)

    async def preview(
        self, site: Site, row: Conversation, text: str, *, agent: ParticipantId
    ) -> Preview:
        self.asked.append((row.id, text))
        if self.trouble is not None:
            raise TranslationFailed("canary of a service", self.trouble)
        return Preview(text=text[::-1], source="zh", target="pt-BR", provider="words")

    async def read(
        self, site: Site, row: Conversation, *, agent: ParticipantId
    ) -> list[Reading]:
        self.asked.append((row.id, agent))
        if self.trouble is not None:
            raise TranslationFailed("canary of a service", self.trouble)
        return self.read_as


async def translated(w: World) -> Words:
    site = (await w.store.sites())[0]
    settings = SiteSettings(translation=Translation(is_on=True, language="zh-CN"))
    await w.store.put_site(replace(site, settings=settings))
    words = w.desk.interpreter = Words()
    return words


async def test_an_agent_sees_how_a_draft_will_read_and_nothing_is_sent() -> None:
    async with world() as w, w.client("a1") as agent:
        words = await translated(w)
        number = await w.conversation()
        params = {"conversation": number, "text": " abc\n"}
        assert await agent.call("message.preview", params) == {
            "conversation": number,
            "translation": "cba",
            "source": "zh",
            "target": "pt-BR",
            "by": "words",
            "trouble": None,
        }
        assert words.asked == [(number, "abc")]
        assert not await w.store.history(number)
        (site,) = [s for s in (await agent.call("sites.list"))["sites"] if s["id"] == 1]
        assert site["agents_language"] == "zh-CN"


async def test_why_there_is_no_preview_is_said_without_the_services_words() -> None:
    async with world() as w, w.client("a1") as agent:
        (await translated(w)).trouble = Trouble.BUDGET
        params = {"conversation": await w.conversation(), "text": "x"}
        told = await agent.call("message.preview", params)
        assert (told["translation"], told["trouble"]) == ("", "budget")
        assert "canary" not in str(told)


async def test_a_preview_is_only_of_what_is_translated_and_not_too_often() -> None:
    async with world() as w, w.client("a1") as agent, w.client("v1") as visitor:
        words = await translated(w)
        number = await w.conversation()

        async def refused(text: str = "x", who: Client = agent) -> str:
            params = {"conversation": number, "text": text}
            with pytest.raises(Rejected) as error:
                await who.call("message.preview", params)
            return error.value.wire_code

        assert await refused(who=visitor) == "not_found"
        assert await refused("  ") == "bad_request"
        assert await refused("x" * (w.limits.text_chars_max + 1)) == "too_large"
        await switch(visitor, number, False)
        assert await refused() == "conflict"
        await switch(visitor, number, True)
        assert not words.asked
        for _ in range(PREVIEWS_BURST):
            params = {"conversation": number, "text": "x"}
            await agent.call("message.preview", params)
        # A client would wait and ask again.
        with pytest.raises(TooMany):
            await w.desk.call(PRINCIPALS["a1"], "message.preview", params)


async def test_who_looks_on_reads_what_the_log_has_not_and_nothing_is_written() -> None:
    async with world() as w, w.client("a1") as agent:
        words = await translated(w)
        number = await w.conversation()
        words.read_as = [
            Reading(ref=Seq(3), text="hi", source="pt", target="en", by="words")
        ]
        params = {"conversation": number}
        read = {"ref": 3, "text": "hi", "source": "pt", "target": "en", "by": "words"}
        told = await agent.call("conversation.read", params)
        assert told == {"conversation": number, "texts": [read], "trouble": None}
        assert words.asked == [(number, "a1")]
        assert not await w.store.history(number)
        words.trouble = Trouble.BUDGET
        told = await agent.call("conversation.read", params)
        assert told == {"conversation": number, "texts": [], "trouble": "budget"}


async def test_who_looks_on_asks_not_too_often_and_only_where_it_is_translated() -> (
    None
):
    async with world() as w, w.client("a1") as agent:
        number = await w.conversation()

        async def refused() -> str:
            with pytest.raises(Rejected) as error:
                await agent.call("conversation.read", {"conversation": number})
            return error.value.wire_code

        assert await refused() == "conflict"
        words = await translated(w)
        await switch(agent, number, False)
        assert await refused() == "conflict"
        await switch(agent, number, True)
        params = {"conversation": number}
        for _ in range(GLANCES_BURST):
            await agent.call("conversation.read", params)
        with pytest.raises(TooMany):
            await w.desk.call(PRINCIPALS["a1"], "conversation.read", params)
        assert len(words.asked) == GLANCES_BURST
