"""A shop's page says who its visitor is: shown to agents as text, and nothing more."""

import pytest
from playwright.sync_api import expect

from tests.e2e.payloads import PAYLOADS
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_visitor_pane import pane_of
from tests.e2e.world import World

pytestmark = pytest.mark.browser

BEFORE = """<script>
window.kefu = window.kefu || function () { (kefu.q = kefu.q || []).push(arguments); };
kefu("setAttributes", { plan: "pro", orders: 3, vip: true, cart: { a: 1 } });
kefu("identify", { name: "林晓", email: "lin@example.cn", phone: 12 });
</script>"""


def test_what_a_page_says_of_its_visitor_is_shown_to_agents(
    world: World, browsers: Browsers
) -> None:
    world.shop.pages["/told"] = world.page(BEFORE + world.embed)
    visitor = Visitor(world, browsers.context(), "/told").open().live()
    visitor.write("hello")
    visitor.sees_all_stored(1)
    agent = AgentPerson(world, browsers.context())
    agent.open_first()
    expect(agent.page.locator(".room-title h2")).to_have_text("林晓")
    pane = pane_of(agent)
    expect(pane.get_by_label("E-mail")).to_have_value("lin@example.cn")
    # A telephone number that is none does not stop the rest.
    expect(pane.get_by_label("Telephone")).to_have_value("")
    told = pane.locator("section", has_text="Told by the visitor's browser")
    terms = told.locator(".attributes")
    expect(terms).to_have_text("planproorders3viptrue")
    # Later, and whatever it is, it is text; null takes an attribute away.
    hostile = {f"<b>{n}": text for n, text in enumerate(PAYLOADS[:12])}
    visitor.page.evaluate(
        "(more) => kefu('setAttributes', { ...more, plan: null, orders: 4 })", hostile
    )
    expect(terms).to_contain_text("orders4")
    expect(terms).not_to_contain_text("plan")
    expect(terms).to_contain_text("<b>0")
    # What is no value does nothing, and does not stop the page.
    visitor.page.evaluate("kefu('setAttributes', 7); kefu('identify', null)")
    visitor.page.evaluate("kefu('setAttributes', { f() {}, ['x'.repeat(99)]: 'y' })")
    expect(terms).to_contain_text("x" * 40)
    visitor.write("still here")
    agent.sees("still here")
    assert agent.page.evaluate("window.__pwned === undefined")
