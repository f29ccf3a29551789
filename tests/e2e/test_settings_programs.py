"""A token made in the console works until it is ended there; every change is listed."""

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.e2e.people import AgentPerson, Browsers
from tests.e2e.world import World

pytestmark = pytest.mark.browser


def ask(world: World, secret: str) -> int:
    """Ask the REST API with a token; return the status."""
    request = urllib.request.Request(
        f"{world.url}/api/v1/conversations/list",
        json.dumps({}).encode(),
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_token_is_made_used_ended_and_every_change_is_listed(
    world: World, browsers: Browsers
) -> None:
    world.add_agent("chief", "掌柜", is_admin=True)
    page = AgentPerson(world, browsers.context(), "chief").page
    page.goto(world.url + "/console#/settings/tokens")
    page.reload()
    page.get_by_role("button", name="Add a token").click()
    page.get_by_label("Name").fill("ERP <b>")
    page.get_by_role("button", name="Save").click()
    # Without a scope it would be good for nothing, and the server says so.
    expect(page.get_by_role("alert").filter(has_text="scopes")).to_be_visible()
    page.get_by_label("conversations:read").check()
    page.get_by_role("button", name="Save").click()
    shown = page.get_by_role("status").filter(has_text="ERP <b>")
    secret = shown.locator("code").inner_text()
    assert ask(world, secret) == 200
    page.reload()
    card = page.locator(".card", has_text="ERP <b>")
    expect(card).to_contain_text("掌柜")
    expect(page.get_by_text(secret)).to_have_count(0)
    card.get_by_role("button", name="End it").click()
    card.get_by_role("button", name="cut off").click()
    expect(card).to_have_count(0)
    assert ask(world, secret) == 401
    page.goto(world.url + "/console#/settings/audit")
    changes = page.locator(".changes li")
    expect(changes.nth(0)).to_contain_text("token.delete")
    expect(changes.nth(1)).to_contain_text("掌柜")
    expect(changes.nth(1)).to_contain_text("ERP <b>")
