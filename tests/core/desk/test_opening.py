"""What a site asks before the first conversation, and which departments it offers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.records import Team, VisitorProfile
from kefu_core.site import Asked, Form, SiteSettings, Talk
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

MUST = Form(name=Asked.MUST, email=Asked.MAY, department=Asked.MUST)
ANSWERS = {"name": "李雷", "email": "li@example.cn"}


@asynccontextmanager
async def shop(**talk: Any) -> AsyncIterator[World]:
    """Run a world whose first site asks, with two teams of which it offers one."""
    async with world() as w:
        site = (await w.store.sites())[0]
        settings = SiteSettings(talk=Talk(**{"form": MUST, "departments": (7,)} | talk))
        await w.store.put_site(msgspec.structs.replace(site, settings=settings))
        await w.store.put_records(Team(id=7, name="售后"), Team(id=8, name="hidden"))
        yield w


async def test_what_is_required_is_required_by_the_server() -> None:
    async with shop() as w, w.client("v1") as visitor:
        for params, says in (
            ({}, "name"),
            ({"answers": {"email": "li@example.cn"}}, "name"),
            ({"answers": ANSWERS}, "department"),
        ):
            with pytest.raises(Rejected, match=says) as refused:
                await visitor.call("conversation.open", params)
            assert refused.value.wire_code == "bad_request"
        assert await w.store.find_record(VisitorProfile, 1) is None
        params = {"answers": ANSWERS, "team": 7}
        opened = (await visitor.call("conversation.open", params))["conversation"]
        row = await w.store.find_conversation(opened["id"])
        assert row is not None
        assert row.team_id == 7
        profile = await w.store.find_record(VisitorProfile, 1)
        assert profile is not None
        assert (profile.name, profile.email) == ("李雷", "li@example.cn")
        # Whoever has a conversation is asked nothing.
        again = await visitor.call("conversation.open", {})
        assert again["conversation"]["id"] == opened["id"]


async def test_answers_never_replace_what_is_known() -> None:
    async with shop(form=Form()) as w, w.client("v1") as visitor:
        await visitor.call("conversation.open", {"answers": ANSWERS})
        other = {"answers": {"name": "Mallory", "phone": "+86 10 1234 5678"}}
        await visitor.call("conversation.open", other)
        profile = await w.store.find_record(VisitorProfile, 1)
        assert profile is not None
        assert (profile.name, profile.phone) == ("李雷", "+86 10 1234 5678")


async def test_only_departments_that_are_offered_may_be_chosen() -> None:
    async with shop(form=Form()) as w, w.client("v1") as visitor:
        for team in (8, 9):
            with pytest.raises(Rejected, match="no such team") as refused:
                await visitor.call("conversation.open", {"team": team})
            assert refused.value.wire_code == "not_found"
        assert await w.store.conversations_of_visitor(visitor.me) == []


async def test_departments_that_are_gone_are_not_required() -> None:
    async with shop(departments=(9,)) as w, w.client("v1") as visitor:
        await visitor.call("conversation.open", {"answers": ANSWERS})
        assert len(await w.store.conversations_of_visitor(visitor.me)) == 1


@pytest.mark.parametrize(
    "answers",
    [
        {"name": "a\nb"},
        {"email": "nobody"},
        {"phone": "call me"},
        {"name": "x" * 101},
        {"age": 7},
        {"name": "\0"},
    ],
)
async def test_answers_that_are_none_are_refused(answers: dict[str, Any]) -> None:
    async with shop(form=Form()) as w, w.client("v1") as visitor:
        with pytest.raises(Rejected) as refused:
            await visitor.call("conversation.open", {"answers": answers})
        assert refused.value.wire_code == "bad_request"
        assert await w.store.conversations_of_visitor(visitor.me) == []
