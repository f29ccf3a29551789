"""The first admin in a browser: from the code in the terminal to the console."""

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Browsers
from tests.server.process import PASSWORD, ServerProcess

pytestmark = pytest.mark.browser

_NARROW = {"width": 360, "height": 740}


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_an_operator_goes_from_the_code_to_the_console(
    tmp_path: Path, browsers: Browsers, locale: str
) -> None:
    server = ServerProcess(tmp_path)
    # A database is opened on the way, and the browser's loop is this thread's.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(server.__enter__).result()
    with contextlib.ExitStack() as stack:
        stack.push(server)
        found = re.search(r"setup url=(\S+) code=(\S+)", server.log)
        assert found, server.log
        context = browsers.context(locale=locale, viewport=_NARROW)
        page = context.new_page()
        page.goto(found[1])
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= _NARROW["width"], "nothing to scroll sideways"
        for name, text in {
            "code": "AAAA-AAAA-AAAA",
            "login": "boss",
            "name": "老板 <b>",
            "password": PASSWORD,
            "again": PASSWORD + "x",
            "site": "茶馆 <b>",
            "origins": "https://shop.example",
        }.items():
            page.locator(f"[name={name}]").fill(text)
        send, alert = page.locator("[type=submit]"), page.get_by_role("alert")
        differ, wrong = {
            "zh-CN": ("不一致", "不符"),
            "en-GB": ("differ", "not the code"),
        }[locale]
        send.click()
        expect(alert).to_contain_text(differ)
        page.locator("[name=again]").fill(PASSWORD)
        send.click()
        expect(alert).to_contain_text(wrong)
        page.locator("[name=code]").fill(found[2])
        send.click()
        expect(page.locator(".setup-line")).to_contain_text("/widget.js")
        page.get_by_role("link").click()
        page.locator("[name=username]").fill("boss")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[type=submit]").click()
        expect(page.locator(".desk")).to_be_visible()
        assert page.request.get(found[1]).status == 404
