"""Every field of every record is a canary; nobody hears of one that is not theirs."""

from typing import Any

import httpx
import msgspec
import pytest

from kefu_core.desk.visiting import Report
from kefu_core.ids import visitor_participant
from kefu_core.model import Agent, AgentSession, MessageKind, Role, Site
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.records import (
    AgentPresence,
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    CannedReply,
    Mail,
    OfflineMessage,
    PageView,
    ReplyScope,
    Visit,
    VisitorIdentity,
    VisitorProfile,
    Webhook,
    WebhookDelivery,
)
from kefu_core.site import (
    Identity,
    InvitationRule,
    Letters,
    SiteSettings,
    Translation,
    Watching,
)
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId, UnixMs
from kefu_server.app import KefuApp
from tests.core.desk.test_translating import Words
from tests.core.desk.world import World, world
from tests.security.test_access_matrix import FRAMES, LEFT, PRINCIPALS
from tests.security.test_allow_list import recorded
from tests.server.conftest import ORIGIN, SHOP, SITE, agent, app, settings, store

__all__ = ["agent", "app", "settings", "store"]

pytestmark = pytest.mark.anyio

KEPT = "kept-canary"
"""What agents of the site know; no visitor, and nobody of another site, does."""
SECRET = "secret-canary"
"""What no page and no answer ever shows, to whomever."""


def _settings() -> SiteSettings:
    rule = InvitationRule(name=f"{KEPT} rule", url=f"/{KEPT}", text=f"{KEPT} text")
    return SiteSettings(
        watching=Watching(rules=(rule,)),
        letters=Letters(notices_to=(f"{KEPT}@shop.example",)),
        identity=Identity(),
    )


async def fill(w: World) -> Any:
    """Give the first site one of every record, and return `v1`'s conversation."""
    site = Site(id=1, name="shop 1", embed_key="e", secret=SECRET, settings=_settings())
    await w.store.put_site(site)
    for number, role in ((1, Role.AGENT), (2, Role.ADMIN)):
        await w.store.put_agent(
            Agent(
                id=number,
                login=f"{KEPT}-{number}",
                name=f"name of a{number}",
                password_hash=SECRET,
                role=role,
                email=f"{KEPT}@mail.example",
                sites=(1,) if number == 1 else None,
            )
        )
    conversation = await w.conversation("v1")
    await w.say(conversation, "v1", f"{KEPT}, said by v1")
    await w.say(conversation, "a1", f"{KEPT} note", MessageKind.NOTE)
    labels = {"labels": [f"{KEPT} label"]}
    await w.say(conversation, "a1", "", MessageKind.LABELS, labels)
    await w.say(conversation, "a1", "answer")
    now = UnixMs(1)
    profile = await w.store.find_record(VisitorProfile, 1)
    assert profile is not None
    known = {name: f"{KEPT} {name}" for name in ("email", "phone", "notes", "language")}
    await w.store.put_records(
        msgspec.structs.replace(profile, **known, attributes={KEPT: KEPT}),
        VisitorIdentity(id=1, site_id=1, external_id=SECRET),
        Visit(
            id=5, site_id=1, visitor=visitor_participant(1), started_at=now,
            last_seen_at=now, referrer=KEPT, invitations={f"{KEPT} rule": "shown"},
        ),
        PageView(id=6, visit_id=5, url=f"https://x.y/{KEPT}", title=KEPT),
        Ban(id=LEFT, kind=BanKind.VISITOR, value="v99", site_id=1, reason=KEPT),
        OfflineMessage(
            id=LEFT, site_id=1, visitor=ParticipantId("v7"), body=KEPT, email=KEPT,
            name=KEPT, page=KEPT,
        ),
        Mail(id=LEFT, recipient=KEPT, about=LEFT, body=KEPT, subject=KEPT),
        CannedReply(id=LEFT, scope=ReplyScope.OWN, owner=1, body=KEPT, shortcut="x"),
        ApiToken(id=LEFT, name=KEPT, token_hash=SECRET, agent_id=1),
        Webhook(id=LEFT, url=f"https://{KEPT}.example/", secret=SECRET, site_id=1),
        WebhookDelivery(id=LEFT, webhook_id=LEFT, event="ping", payload=KEPT),
        AuditEntry(id=LEFT, at=now, who="a2", action="x", data={KEPT: KEPT}),
        AgentPresence(id=1),
    )  # fmt: skip
    await w.store.put_agent_session(
        AgentSession(token_hash=SECRET, agent_id=1, created_at=now, last_used_at=now)
    )
    page = Report(page="p", url=f"https://x.y/{KEPT}", title=KEPT, referrer=KEPT)
    w.desk.visits.report(1, 9, page)
    w.desk.visits.tell()
    return conversation


@pytest.mark.parametrize("who", PRINCIPALS)
async def test_nobody_hears_what_is_not_theirs_whatever_they_ask(who: str) -> None:
    heard, count = b"", 0
    for kind, rows in FRAMES.items():
        # Asked one after the other of a world in which nothing was changed yet.
        if kind in (f.Hello, f.Bye):
            continue
        async with world() as w:
            conversation = await fill(w)
            wire, recorder = await recorded(w, who, JSON)
            for row in rows:
                frames = [
                    x
                    for x in row.build(conversation, who)
                    # It is for showing it, and for making one.
                    if getattr(x, "method", "") not in ("site.secret", "webhook.put")
                    # These end what is to be looked at.
                    and getattr(x, "method", "") not in ("ban.put", "agent.deactivate")
                ]
                count += len(frames)
                await wire.answers(*frames)
            heard += b"".join(recorder.bytes)
            wire.cut()
    assert count > 80
    assert SECRET.encode() not in heard
    if who in ("a1", "a2"):
        # The test means something only if there was something to be heard.
        assert heard.count(KEPT.encode()) > 20
        return
    mine = f"{KEPT}, said by v1".encode()
    if who == "v1":
        assert mine in heard
        heard = heard.replace(mine, b"")
    at = heard.find(KEPT.encode())
    assert at < 0, heard[max(0, at - 300) : at + 100]


TOLD_OF_A_SITE = {
    "id", "name", "locale", "may_chat", "file_bytes", "asks_rating", "form", "staffed",
    "shows_typing", "recall_within_s", "edit_within_s", "greeting", "closed",
    "opens_at", "site_id", "translation",
}  # fmt: skip
TOLD_OF_TRANSLATION = {"language", "languages", "agents", "chosen", "holds_s"}


async def test_a_site_tells_its_visitors_no_more_than_is_listed(
    app: KefuApp, store: MemoryStore
) -> None:
    watching = msgspec.structs.replace(_settings().watching, only_staffed=False)
    translation = Translation(is_on=True, language="zh-CN")
    site = msgspec.structs.replace(
        SITE,
        secret=SECRET,
        settings=msgspec.structs.replace(
            _settings(), watching=watching, translation=translation
        ),
    )
    await store.put_site(site)
    app.state.services.desk.interpreter = Words()
    transport = httpx.ASGITransport(app)
    headers = {"origin": ORIGIN}
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers=headers
    ) as client:
        body = {"site": SITE.embed_key}
        token = await client.post("/api/visitor/token", json=body)
        told = token.json()["site"]
        assert set(told) <= TOLD_OF_A_SITE
        assert set(told["translation"]) <= TOLD_OF_TRANSLATION
        visit = {**body, "page": "p", "url": f"{SHOP}/elsewhere"}
        answers = [
            token,
            await client.post("/api/visit", json=visit),
            await client.get(f"/widget/{SITE.embed_key}"),
            await client.get(f"/widget/{SITE.embed_key}/visit"),
        ]
    for answer in answers:
        assert answer.status_code == 200
        assert KEPT not in answer.text
        assert SECRET not in answer.text
