"""Agents look after their own account: another password, a second factor, logins."""

import base64
import time

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from kefu_server.factors import STEP_S, code_at
from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.world import LOGIN, PASSWORD, World

pytestmark = pytest.mark.browser

OTHER = f"another {PASSWORD}"


def code(key: bytes, steps: int = 0) -> str:
    """Return what an app shows now, or so many half minutes later."""
    return code_at(key, int(time.time()) // STEP_S + steps)


def log_in(world: World, page: Page) -> None:
    page.goto(world.url + "/console")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(OTHER)
    page.get_by_role("button", name="Log in").click()


def answer_late(world: World, page: Page, pattern: str) -> None:
    """Let an answer reach the browser once its old login is refused everywhere."""

    def answer(route: Route) -> None:
        jar = {str(c.get("name")): str(c.get("value")) for c in page.context.cookies()}
        answered = httpx.post(
            route.request.url,
            content=route.request.post_data_buffer,
            headers={"origin": world.url, "content-type": "application/json"},
            cookies=jar,
            trust_env=False,
        )
        expect(page.locator(".alarm")).to_contain_text("stopped")
        headers = {"set-cookie": answered.headers["set-cookie"]}
        route.fulfill(status=200, body=answered.content, headers=headers)

    page.route(pattern, answer, times=1)


def test_a_password_a_second_factor_and_the_logins(
    world: World, browsers: Browsers
) -> None:
    page = AgentPerson(world, browsers.context()).page
    elsewhere = AgentPerson(world, browsers.context())
    page.goto(world.url + "/console#/settings/account")
    logins = page.locator(".logins li")
    expect(logins).to_have_count(2)
    expect(logins.filter(has_text="this browser")).to_have_count(1)
    expect(logins.first).to_contain_text("Chrome")
    page.get_by_role("button", name="Log out there").click()
    expect(logins).to_have_count(1)
    expect(elsewhere.page.locator(".alarm")).to_be_visible()

    page.get_by_role("button", name="Change the password").click()
    page.get_by_label("Password so far").fill(OTHER)
    page.get_by_label("New password").fill(OTHER)
    page.get_by_role("button", name="Save").click()
    expect(
        page.get_by_role("alert").filter(has_text="not your password")
    ).to_be_visible()
    page.get_by_label("Password so far").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    # The page comes again, with the new login.
    expect(page.get_by_role("button", name="Change the password")).to_be_visible()
    expect(page.locator(".live-light.live")).to_be_visible()

    page.get_by_role("button", name="Switch on").click()
    page.get_by_label("Password so far").fill(OTHER)
    page.get_by_role("button", name="Go on").click()
    picture = page.get_by_alt_text("QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("each => each.naturalWidth") > 0
    key = base64.b32decode(page.locator(".secret").inner_text().replace(" ", ""))
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert").filter(has_text="code is wrong")).to_be_visible()
    answer_late(world, page, "**/api/agent/factor/on")
    page.get_by_label("Code").fill(code(key))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".offer .snippet")).to_be_visible()
    # The old login ended before the browser had the new one; it goes on all the same.
    expect(page.locator(".live-light.live")).to_be_visible()
    expect(page.locator(".alarm")).to_be_hidden()
    recovery = page.locator(".offer .snippet").inner_text().split()
    assert len(recovery) == 10
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("Recovery codes left: 10")).to_be_visible()

    again = browsers.context().new_page()
    log_in(world, again)
    again.get_by_label("Code").fill("000000")
    again.get_by_role("button", name="Log in").click()
    expect(again.get_by_role("alert")).to_contain_text("code is wrong")
    again.get_by_label("Code").fill(code(key, 1))
    again.get_by_role("button", name="Log in").click()
    expect(again.locator(".desk")).to_be_visible()
    by_paper = browsers.context().new_page()
    log_in(world, by_paper)
    by_paper.get_by_label("Code").fill(recovery[0])
    by_paper.get_by_role("button", name="Log in").click()
    expect(by_paper.locator(".desk")).to_be_visible()

    page.get_by_role("button", name="Switch off").click()
    page.get_by_label("Password so far").fill(OTHER)
    page.get_by_label("Code").fill(recovery[1])
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
