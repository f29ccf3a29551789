"""What visitors leave and others answer is only text in the console."""

import pytest
from playwright.sync_api import expect

from kefu_core.abc.store import Store
from kefu_core.records import (
    DeliveryStatus,
    Mail,
    OfflineMessage,
    Webhook,
    WebhookDelivery,
)
from kefu_core.types import ParticipantId
from tests.e2e.payloads import PAYLOADS
from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.test_hostile_fields import in_store
from tests.e2e.world import World

pytestmark = pytest.mark.browser

_PROBE = (
    "window.__pwned === undefined && !document.querySelector('#app script, #app img')"
)
LINKS = "links => links.map((link) => link.getAttribute('href').split(':')[0])"


async def fill(store: Store) -> None:
    """Put every payload into every text that somebody else chooses."""
    await store.put_records(
        Webhook(id=1, url=PAYLOADS[0], secret="s", events=("ping",), note=PAYLOADS[1])
    )
    for number, text in enumerate(PAYLOADS, 1):
        left = OfflineMessage(
            id=number,
            site_id=1,
            visitor=ParticipantId("v1"),
            key=f"key{number}",
            name=text[:200],
            email=text[:300],
            phone=text[:60],
            body=text,
            page=f"javascript:{text}",
        )
        mail = Mail(
            id=number,
            recipient=text[:300],
            about=number,
            status=DeliveryStatus.FAILED,
            error=text[:400],
        )
        delivery = WebhookDelivery(
            id=number,
            webhook_id=1,
            event="ping",
            source=f"ping:{number}",
            payload=text,
            status=DeliveryStatus.FAILED,
            error=text[:400],
        )
        await store.put_records(left, mail, delivery)


def test_what_is_left_mailed_and_told_is_only_text(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    in_store(world, fill)
    page = AgentPerson(world, browsers.context(), "chief").page
    page.goto(f"{world.url}/console#/offline")
    more = page.get_by_role("button", name="Show older ones")
    cards = page.locator(".left")
    while cards.count() < len(PAYLOADS):
        shown = cards.count()
        more.click()
        expect(cards.nth(shown)).to_be_visible()
    bodies = page.locator(".left-body").all_text_contents()
    assert bodies == list(reversed(PAYLOADS))
    links = page.locator(".left a").evaluate_all(LINKS)
    assert set(links) == {"mailto", "tel"}
    assert page.evaluate(_PROBE)
    page.goto(f"{world.url}/console#/settings/webhooks")
    page.get_by_role("button", name="Deliveries").click()
    page.get_by_role("button", name="Show older ones").click()
    told = page.locator(".hook-log tbody tr")
    expect(told).to_have_count(40)
    page.get_by_text("Show what was sent").first.click()
    assert PAYLOADS[-1] in page.locator(".hook-log pre").all_text_contents()
    assert page.evaluate(_PROBE)
