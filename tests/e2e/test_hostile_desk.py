"""All that admins, agents and pages put into the desk is only text, on every page."""

import msgspec
import pytest
from playwright.sync_api import expect

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.model import Agent, Draft, MessageKind, Role
from kefu_core.records import (
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    CannedReply,
    GlossaryEntry,
    OfflineMessage,
    PageView,
    Team,
    Visit,
    VisitorProfile,
)
from kefu_core.site import (
    Asked,
    Form,
    Holiday,
    Hours,
    InvitationRule,
    SiteSettings,
    Talk,
    Watching,
)
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from tests.e2e.payloads import BREAKS, VECTORS
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_hostile_fields import _PROBE, FIRST, in_store
from tests.e2e.world import World

pytestmark = pytest.mark.browser

TEXT = BREAKS[2] + VECTORS[2] + BREAKS[1] + VECTORS[4] + VECTORS[0]
"""Out of whatever it stands in, and then three times a script."""
ATTRIBUTE = BREAKS[1] + "autofocus onfocus=window.__pwned=1 x="
SHOWN = """() => {
  const page = document.querySelector(".page-frame") ?? document.body;
  const fields = [...page.querySelectorAll("input, textarea")].map((x) => x.value);
  return [page.textContent, ...fields].join().includes("__pwned");
}"""
STRANGE = "a[href^='javascript'], [onfocus], [onerror], [onload], #app iframe"
"""Of which the pages themselves have none."""
PLACES = (
    "", "history", "visitors", "offline", "canned", "reports", "settings/sites",
    "settings/accounts", "settings/teams", "settings/routing", "settings/hours",
    "settings/talk", "settings/visitors", "settings/files", "settings/absence",
    "settings/translation",
    "settings/bans", "settings/webhooks", "settings/tokens", "settings/audit",
    "settings/account",
)  # fmt: skip


async def _fill(store: Store) -> ConversationId:
    """Write the texts into every record that a page shows; return the conversation."""
    (row,) = await store.find_conversations(ConversationFilter(), limit=2)
    number = int(row.visitor[1:])
    profile = await store.find_record(VisitorProfile, number)
    assert profile is not None
    now = UnixMs(row.opened_at)
    known = {
        "name": TEXT,
        "email": ATTRIBUTE,
        "phone": ATTRIBUTE,
        "notes": TEXT,
        "language": TEXT,
        "attributes": {TEXT: TEXT, ATTRIBUTE: ATTRIBUTE, "url": VECTORS[35]},
    }
    records = [
        VisitorProfile(id=number, site_id=row.site_id, created_at=now, **known),  # type: ignore[arg-type]
        Team(id=FIRST, name=TEXT),
        Ban(id=FIRST, kind=BanKind.VISITOR, value=row.visitor, reason=TEXT, site_id=2),
        Ban(id=FIRST + 1, kind=BanKind.ADDRESS, value=TEXT, reason=ATTRIBUTE),
        CannedReply(id=FIRST, shortcut=TEXT, title=TEXT, folder=TEXT, body=TEXT),
        OfflineMessage(
            id=FIRST, site_id=row.site_id, visitor=row.visitor, name=TEXT, body=TEXT,
            email=ATTRIBUTE, phone=ATTRIBUTE, page=VECTORS[35], created_at=now,
        ),
        Visit(
            id=FIRST, site_id=row.site_id, visitor=row.visitor, started_at=now,
            last_seen_at=now, referrer=TEXT, user_agent=TEXT, invitations={TEXT: TEXT},
        ),
        PageView(id=FIRST, visit_id=FIRST, url=VECTORS[35], title=TEXT, at=now),
        GlossaryEntry(
            id=FIRST, site_id=row.site_id, source=ATTRIBUTE, target=ATTRIBUTE,
            text_key="-", body=TEXT, translation=TEXT, agent_id=FIRST,
        ),
        AuditEntry(id=FIRST, at=now, who=TEXT, action=TEXT, data={TEXT: TEXT}),
    ]  # fmt: skip
    await store.put_records(*records)
    await store.put_agent(
        Agent(id=FIRST, login=TEXT, name=TEXT, password_hash="-", email=TEXT)
    )
    await store.put_agent(
        Agent(
            id=FIRST + 1, login="x", name=ATTRIBUTE, password_hash="-", role=Role.ADMIN
        )
    )
    boss = await store.find_agent(login="chief")
    assert boss is not None
    await store.put_records(
        ApiToken(id=FIRST, name=TEXT, token_hash="-", agent_id=boss.id)
    )
    (site,) = await store.sites()
    settings = SiteSettings(
        talk=Talk(
            greeting=TEXT,
            away=TEXT,
            waiting=TEXT,
            form=Form(name=Asked.MUST, department=Asked.MUST, question=Asked.MUST),
            departments=(FIRST,),
        ),
        watching=Watching(
            only_staffed=False,
            rules=(
                InvitationRule(name=TEXT[:60], url="/invited", after_s=0, text=TEXT),
            ),
        ),
        hours=Hours(holidays=(Holiday(day="2030-01-01", name=TEXT[:60]),)),
    )
    await store.put_site(msgspec.structs.replace(site, name=TEXT, settings=settings))
    lines = [
        (MessageKind.LABELS, "", {"labels": [TEXT, ATTRIBUTE]}),
        (MessageKind.NOTE, TEXT, None),
        (MessageKind.ASSIGNMENT, "", {"assignee": None, "team": FIRST}),
        (MessageKind.CLOSE, "", None),
        (MessageKind.RATING, TEXT, {"score": 1}),
        (MessageKind.REOPEN, "", None),
    ]
    for at, (kind, body, data) in enumerate(lines):
        await store.append(
            Draft(
                conversation=row.id,
                sender=row.visitor
                if kind is MessageKind.RATING
                else ParticipantId(f"a{FIRST}"),
                key=f"line {at}",
                kind=kind,
                body=body,
                data=data,
            )
        )
    return row.id


def test_no_text_of_the_desk_is_markup_on_any_page(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    visitor = Visitor(world, browsers.context()).open().live()
    visitor.write("hello")
    visitor.sees_all_stored(1)
    world.kill()
    in_store(world, _fill)
    world.start()
    # The form before a conversation, the greeting, an invitation, and the chat itself.
    world.shop.pages["/invited"] = world.page(world.embed)
    other = Visitor(world, browsers.context(), "/invited")
    bubble = other.page.frame_locator("#kefu-visit iframe")
    expect(bubble.locator(".invitation-text")).to_have_text(TEXT)
    other.launcher.click()
    form = other.page.frame_locator("#kefu-launcher iframe")
    expect(form.locator("select, [type=radio]").first).to_be_attached()
    visitor.page.reload()
    visitor.open().live()
    expect(visitor.view.locator(".message").first).to_be_visible()
    for page in (other.page, visitor.page):
        for frame in page.frames:
            assert frame.evaluate("window.__pwned === undefined")
            if frame.url.startswith(world.url):
                assert frame.evaluate(_PROBE), frame.url
    boss = AgentPerson(world, browsers.context(), "chief")
    page = boss.page
    boss.open_first()
    pane = page.get_by_role("complementary", name="Visitor")
    expect(pane.get_by_label("Name")).to_have_value(TEXT)
    expect(pane.locator(".attributes").last).to_contain_text(VECTORS[35])
    for place in PLACES:
        page.evaluate("(hash) => { location.hash = hash }", f"#/{place}")
        page.wait_for_function(SHOWN)
        assert page.evaluate("window.__pwned === undefined"), place
        assert page.evaluate(_PROBE), place
        assert page.locator(STRANGE).count() == 0, place
