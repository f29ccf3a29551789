"""A visitor whom the shop's server has signed for: one history on every device."""

import hashlib
import hmac
import time
from typing import Any

import jwt
import msgspec
import pytest
from playwright.sync_api import Response, Route, expect

from kefu_core.abc.store import Store
from kefu_core.model import Site
from kefu_core.site import Identity, SiteSettings
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.test_accessible import assert_everybody_can_use
from tests.e2e.test_hostile_fields import in_store
from tests.e2e.test_visitor_pane import pane_of
from tests.e2e.world import World

pytestmark = pytest.mark.browser

SECRET = "s" * 43


def set_up(world: World, *, is_required: bool = False) -> None:
    async def change(store: Store) -> Site:
        (site,) = await store.sites()
        settings = SiteSettings(identity=Identity(is_required=is_required))
        changed = msgspec.structs.replace(site, secret=SECRET, settings=settings)
        await store.put_site(changed)
        return changed

    in_store(world, change)


def signed(**claims: str) -> dict[str, str]:
    """Return what the shop's server says of customer 42."""
    whole = {"sub": "42", "exp": int(time.time()) + 600, **claims}
    return {"token": jwt.encode(whole, SECRET, algorithm="HS256")}


def page_of(world: World, path: str, identity: dict[str, Any]) -> str:
    before = (
        "<script>window.kefu = function () { (kefu.q = kefu.q || []).push(arguments) };"
        f"kefu('identify', {msgspec.json.encode(identity).decode()});</script>"
    )
    world.shop.pages[path] = world.page(before + world.embed)
    return path


def _has_signed(response: Response) -> bool:
    asked = response.request.post_data or ""
    return response.url.endswith("/api/visitor/token") and '"identity":{' in asked


def test_a_signed_visitor_has_one_history_on_every_device(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    by_token = signed(name="林晓")
    digest = hmac.new(SECRET.encode(), b"id:42", hashlib.sha256).hexdigest()
    computer = Visitor(world, browsers.context()).open().live()
    computer.write("as nobody yet")
    computer.sees_all_stored(1)
    # The first time the conversation is kept.
    computer.page.goto(world.shop.url + page_of(world, "/signed", by_token))
    computer.open().live()
    computer.sees("as nobody yet")
    agent = AgentPerson(world, browsers.context())
    agent.open_first()
    expect(agent.page.locator(".room-title h2")).to_have_text("林晓")
    expect(pane_of(agent).get_by_text("Confirmed by the site")).to_be_visible()
    # On another device, where somebody has already written as nobody.
    path = page_of(world, "/hashed", {"id": 42, "hash": digest})
    telephone = Visitor(world, browsers.context()).open().live()
    telephone.write("as nobody, there")
    telephone.sees_all_stored(1)
    telephone.page.goto(world.shop.url + path)
    telephone.open()
    telephone.sees("as nobody yet")
    telephone.live().write("from the telephone")
    computer.sees("from the telephone")
    # Its own goes on, and what was written as nobody is there to be read, on both.
    for visitor in (telephone, computer):
        expect(visitor.view.get_by_text("as nobody, there")).to_be_hidden()
        visitor.view.get_by_text("Earlier conversations").click()
        earlier = visitor.view.locator(".earlier")
        expect(earlier.get_by_text("as nobody, there")).to_be_visible()
        expect(earlier.get_by_text("as nobody yet")).to_have_count(0)
        assert_everybody_can_use(visitor.view)
    # Whoever logs out of the shop leaves nothing behind.
    telephone.page.goto(world.shop.url + "/")
    telephone.page.evaluate("kefu('reset')")
    telephone.open().live()
    telephone.write("the next one")
    telephone.sees_all_stored(1)
    expect(telephone.view.get_by_text("as nobody yet")).to_have_count(0)


def test_where_a_signature_is_compulsory_nobody_else_may_chat(
    world: World, browsers: Browsers
) -> None:
    set_up(world, is_required=True)
    stranger = Visitor(world, browsers.context()).open()
    bar = stranger.view.get_by_text("Log in on this site to chat.")
    expect(bar).to_be_visible()
    claims = {"sub": "42", "exp": int(time.time()) + 600}
    forged = {"token": jwt.encode(claims, "o" * 43, algorithm="HS256")}
    stranger.page.evaluate("(forged) => kefu('identify', forged)", forged)
    expect(bar).to_be_visible()
    good = {"token": jwt.encode(claims, SECRET, algorithm="HS256")}
    stranger.page.evaluate("(good) => kefu('identify', good)", good)
    stranger.live()
    stranger.write("hello")
    stranger.sees_all_stored(1)


def test_a_tab_from_before_the_signature_goes_on_with_the_browsers_new_token(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    context = browsers.context()
    first = Visitor(world, context).open().live()
    first.write("as nobody yet")
    first.sees_all_stored(1)
    identity = signed(name="林晓")
    second = Visitor(world, context)
    # The browser must have the new one before the server goes.
    with second.page.expect_response(_has_signed, timeout=30_000):
        second.page.goto(world.shop.url + page_of(world, "/signed", identity))
        second.open().live()
    second.sees("as nobody yet")
    # What the first tab holds is refused from now on; the other's is in the browser.
    world.kill()
    world.start()
    second.live().write("as a customer")
    first.live().sees("as a customer")
    first.write("from the first tab")
    second.sees("from the first tab")


def test_a_tab_that_became_a_stranger_follows_once_the_browser_has_the_customers_token(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    context = browsers.context()
    first = Visitor(world, context).open().live()
    first.write("as nobody yet")
    first.sees_all_stored(1)
    identity = signed()
    second = Visitor(world, context)
    answers: list[str] = []
    is_lost = True

    def lose(route: Route) -> None:
        if is_lost and '"identity":{' in (route.request.post_data or ""):
            # The server has taken the signature; its answer never comes.
            answers.append(route.fetch().text())
            route.abort()
        else:
            route.fallback()

    second.page.route("**/api/visitor/token", lose)
    second.page.goto(world.shop.url + page_of(world, "/signed", identity))
    second.open()
    while not answers:
        second.page.wait_for_timeout(50)
    world.kill()
    world.start()
    # What this tab holds is refused, and the browser has nothing better.
    expect(first.view.get_by_text("as nobody yet")).to_have_count(0)
    first.view.locator(".composer-input").fill("half a sen")
    is_lost = False
    second.sees("as nobody yet")
    first.sees("as nobody yet")
    expect(first.view.locator(".composer-input")).to_have_value("half a sen")
    first.live().write("from the first tab")
    second.sees("from the first tab")


def test_who_logs_out_in_one_tab_has_left_the_others_too(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    identity = signed()
    context = browsers.context()
    first, second = Visitor(world, context), Visitor(world, context)
    for visitor in (first, second):
        visitor.page.goto(world.shop.url + page_of(world, "/signed", identity))
        visitor.open().live()
    first.write("a secret")
    second.sees("a secret")
    second.view.locator(".composer-input").fill("half a secret")
    with second.page.expect_event("framenavigated"):
        first.page.evaluate("kefu('reset')")
    # Its page still says who it was, and is not believed any more.
    for visitor in (second, first):
        visitor.live()
        expect(visitor.view.locator(".composer-input")).to_have_value("")
        expect(visitor.view.get_by_text("secret")).to_have_count(0)
    second.page.evaluate("kefu('setAttributes', { plan: 'gold' })")
    second.write("the next one")
    first.sees("the next one")
    expect(first.view.get_by_text("secret")).to_have_count(0)
    # Whoever logs in there is somebody again.
    second.page.evaluate("(given) => kefu('identify', given)", identity)
    for visitor in (second, first):
        visitor.sees("a secret")


def test_what_a_customer_wrote_as_nobody_goes_on_on_every_device(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    identity = signed(name="林晓")
    path = page_of(world, "/signed", identity)
    computer = Visitor(world, browsers.context())
    computer.page.goto(world.shop.url + path)
    computer.open().live()
    computer.write("the old question")
    computer.sees_all_stored(1)
    agent = AgentPerson(world, browsers.context())
    agent.open_first()
    agent.page.get_by_role("button", name="Close conversation").click()
    expect(computer.view.get_by_text("closed").first).to_be_visible()
    # On the telephone, before the login: nobody knows yet that it is the same person.
    telephone = Visitor(world, browsers.context()).open().live()
    telephone.write("the new question")
    telephone.sees_all_stored(1)
    telephone.page.goto(world.shop.url + path)
    telephone.open().live()
    telephone.sees("the new question")
    expect(telephone.view.get_by_text("the new question")).to_have_count(1)
    # The frame has begun anew as the customer.
    expect(telephone.view.get_by_text("Earlier conversations")).to_be_visible()
    telephone.write("and one more")
    # The other device comes to it by itself.
    computer.sees("and one more")
    computer.write("from the computer")
    telephone.sees("from the computer")
    # The agent sees one person, and what was talked about before.
    agent.page.reload()
    agent.open_first()
    expect(agent.page.locator(".room-title h2")).to_have_text("林晓")
    pane = pane_of(agent)
    expect(pane.get_by_text("Confirmed by the site")).to_be_visible()
    expect(pane.locator(".earlier").get_by_text("the old question")).to_be_visible()
    # Whoever comes next at the telephone has nothing of it.
    telephone.page.goto(world.shop.url + "/")
    telephone.page.evaluate("kefu('reset')")
    telephone.open().live()
    expect(telephone.view.get_by_text("the new question")).to_have_count(0)


def test_what_is_half_written_stays_when_the_page_says_who_it_is_and_goes_with_them(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    identity = signed()
    computer = Visitor(world, browsers.context())
    computer.page.goto(world.shop.url + page_of(world, "/signed", identity))
    computer.open().live().write("from the computer")
    computer.sees_all_stored(1)
    visitor = Visitor(world, browsers.context()).open().live()
    field = ".composer-input"
    visitor.view.locator(field).fill("half a sen")
    visitor.page.goto(world.shop.url + page_of(world, "/other", {}))
    visitor.open().live()
    expect(visitor.view.locator(field)).to_have_value("half a sen")
    # Becoming the customer begins the frame anew.
    with visitor.page.expect_event("framenavigated"):
        visitor.page.evaluate("(given) => kefu('identify', given)", identity)
    visitor.live()
    expect(visitor.view.locator(field)).to_have_value("half a sen")
    visitor.sees("from the computer")
    visitor.view.locator(field).press("Enter")
    computer.sees("half a sen")
    # Of who was there before, nothing is left to who comes next.
    visitor.view.locator(field).fill("a secret")
    with visitor.page.expect_event("framenavigated"):
        visitor.page.evaluate("kefu('reset')")
    visitor.live()
    expect(visitor.view.locator(field)).to_have_value("")
    expect(visitor.view.get_by_text("half a sen")).to_have_count(0)


def test_a_reset_wins_over_a_token_that_another_frame_is_asking_for(
    world: World, browsers: Browsers
) -> None:
    set_up(world)
    visitor = Visitor(world, browsers.context()).open().live()
    visitor.write("mine")
    visitor.sees_all_stored(1)
    # The frame that reports the visit is answered in that moment.
    (reporting,) = [f for f in visitor.page.frames if "/visit" in f.url]
    reporting.evaluate(
        """() => {
            const isToken = (key) => key.startsWith("kefu.token.");
            const name = Object.keys(localStorage).find(isToken);
            const token = localStorage.getItem(name);
            navigator.locks.request(name, async () => {
                await new Promise((done) => setTimeout(done, 500));
                localStorage.setItem(name, token);
            });
        }"""
    )
    with visitor.page.expect_event("framenavigated"):
        visitor.page.evaluate("kefu('reset')")
    visitor.live()
    expect(visitor.view.get_by_text("mine")).to_have_count(0)
    visitor.write("whose?")
    visitor.sees_all_stored(1)
