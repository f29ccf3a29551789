"""Every text that others choose is only text, wherever the pages show it."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import msgspec
import pytest
from playwright.sync_api import BrowserContext, WebSocketRoute, expect

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.model import Agent, Draft, MessageKind, Person, Role, Site
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId, ParticipantId
from kefu_server import accounts
from kefu_server.settings import load_settings
from tests.e2e.payloads import PAYLOADS
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.browser

FIRST = 1_000
"""Ids of what the tests put into the store themselves."""
_PROBE = (
    "window.__pwned === undefined && !document.querySelector('#app script, #app img')"
)
_UP = "log => { log.scrollTop = 0; return log.querySelectorAll('.message').length }"


def in_store(world: World, act: Any) -> Any:
    """Do something with the world's database, beside the running server."""
    settings = load_settings(environ=world.environment())
    # The browser's event loop is this thread's, so another one needs another thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(accounts.in_store, settings, act).result()


async def _fill(store: Store, conversation: ConversationId) -> None:
    """Give every payload an agent, a visitor, a site and a conversation, by name."""
    visitor = (await store.find_conversation(conversation)).visitor  # type: ignore[union-attr]
    site = 0
    for number, text in enumerate(PAYLOADS, FIRST):
        agent = ParticipantId(f"a{number}")
        await store.put_agent(
            Agent(id=number, login=f"{number}", name=text, password_hash="-")
        )
        site = number
        await store.put_site(Site(id=number, name=text, embed_key=f"key{number}"))
        person = Person(id=ParticipantId(f"v{number}"), name=text, role=Role.VISITOR)
        other = await store.open_conversation(site, person)
        drafts = [
            (other.id, person.id, MessageKind.TEXT, text, None),
            (conversation, agent, MessageKind.ASSIGNMENT, "", {"assignee": agent}),
            (conversation, agent, MessageKind.TEXT, text, {text: text}),
            (conversation, visitor, MessageKind.TEXT, text, None),
        ]
        for where, sender, kind, body, data in drafts:
            await store.append(
                Draft(
                    conversation=where,
                    sender=sender,
                    key=f"{text[:40]}{number}{sender}{kind}",
                    kind=kind,
                    body=body,
                    data=data,
                )
            )


def read_upwards(person: Visitor | AgentPerson, count: int) -> list[str]:
    """Scroll until everything has been shown; return the texts."""
    log = person.view.locator(".log")
    for _ in range(30):
        if log.evaluate(_UP) >= count:
            break
        person.page.wait_for_timeout(100)
    expect(person.view.locator(".message")).to_have_count(count)
    return person.texts()


def test_a_text_is_only_text_wherever_it_is_shown(
    world: World, visitor: Visitor, browsers: Browsers
) -> None:
    visitor.write("hello")
    visitor.sees_all_stored(1)

    async def fill(store: Store) -> None:
        (row,) = await store.find_conversations(ConversationFilter(), limit=10)
        await _fill(store, row.id)

    in_store(world, fill)
    world.kill()
    world.start()
    agent = AgentPerson(world, browsers.context())
    agent.page.locator("#tab-all").click()
    expect(agent.page.locator(".row")).to_have_count(len(PAYLOADS) + 1)
    rows = " ".join(" ".join(agent.page.locator(".row").all_text_contents()).split())
    for text in PAYLOADS:
        # Once as the visitor's name, once as the last line, which is cut.
        assert rows.count(" ".join(text.split())[:40]) >= 2, text
    agent.page.locator(".row", has_text="Visitor").first.click()
    visitor.reload()
    expected = ["hello", *(text for text in PAYLOADS for _ in range(2))]
    for person in (visitor, agent):
        assert read_upwards(person, len(expected)) == expected
        assert person.view.evaluate(_PROBE)
        names = person.view.locator(".log").inner_text()
        assert PAYLOADS[0] in names
    assert agent.page.evaluate(_PROBE)


def test_a_name_of_a_site_never_becomes_markup(
    world: World, browsers: Browsers
) -> None:
    async def fill(store: Store) -> None:
        for number, text in enumerate(PAYLOADS, FIRST):
            name, key = text, f"key{number}"
            await store.put_site(
                Site(id=number, name=name, embed_key=key, locale=text[:20])
            )

    in_store(world, fill)
    page = browsers.context().new_page()
    page.goto(world.url + "/console")
    names = page.evaluate(
        """async (keys) => {
          const found = [];
          for (const key of keys) {
            const answer = await fetch(`/widget/${key}`);
            const page = await answer.text();
            const parsed = new DOMParser().parseFromString(
              trustedTypes.createPolicy(`test${key}`, { createHTML: (x) => x })
                .createHTML(page), "text/html");
            found.push([parsed.body.dataset.siteName, parsed.title,
                        parsed.documentElement.lang,
                        parsed.querySelectorAll("body *").length,
                        parsed.querySelectorAll("script").length]);
          }
          return found;
        }""",
        [f"key{FIRST + number}" for number in range(len(PAYLOADS))],
    )
    for text, (name, title, lang, below, scripts) in zip(PAYLOADS, names, strict=True):
        assert name == text
        assert title == " ".join(text.split())
        assert lang == text[:20]
        assert (below, scripts) == (1, 1)


class Injected:
    """A page's sockets, into which a test may say whatever a server never would."""

    def __init__(self, context: BrowserContext) -> None:
        self.sockets: list[WebSocketRoute] = []
        context.route_web_socket(re.compile("/kefu/ws"), self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        self.sockets.append(socket)

    def say(self, frames: list[dict[str, Any]]) -> None:
        lines = [msgspec.json.encode(frame).decode() for frame in frames]
        for start in range(0, len(lines), 50):
            self.sockets[-1].send("\n".join(lines[start : start + 50]))


def hostile_frames(conversation: int) -> list[dict[str, Any]]:
    """Return every frame a page receives with each payload in all of its texts."""
    frames = []
    numbers = {"conversation": conversation, "seq": 10**6, "last_seq": 0, "version": 1}
    for kind in get_args(f.ServerFrame):
        name = str(kind.__struct_config__.tag)
        if name in ("closed", "drain", "welcome"):
            continue  # They end what is to be looked at.
        for text in PAYLOADS:
            frame: dict[str, Any] = {"t": name}
            for field in msgspec.structs.fields(kind):
                if field.name in numbers:
                    frame[field.name] = numbers[field.name]
                elif field.type in (bool, int, float):
                    frame[field.name] = 1
                elif "dict" in str(field.type) or "list" in str(field.type):
                    frame[field.name] = (
                        {text: text} if "list" not in str(field.type) else []
                    )
                else:
                    frame[field.name] = text
            frames.append(frame)
    return frames


def test_no_text_in_any_frame_runs_as_script(world: World, browsers: Browsers) -> None:
    contexts = [browsers.context(), browsers.context()]
    sockets = [Injected(context) for context in contexts]
    visitor = Visitor(world, contexts[0]).open().live()
    visitor.write("hello")
    agent = AgentPerson(world, contexts[1])
    agent.open_first()
    agent.sees("hello")
    conversation = in_store(world, _only_conversation)
    for injected, person in zip(sockets, (visitor, agent), strict=True):
        injected.say(hostile_frames(conversation))
        person.write("still here")
        other = agent if person is visitor else visitor
        other.sees("still here")
        assert person.view.evaluate(_PROBE)
        assert person.page.evaluate("window.__pwned === undefined")


async def _only_conversation(store: Store) -> int:
    (row,) = await store.find_conversations(ConversationFilter(), limit=2)
    return int(row.id)


_HEAD = re.compile(
    rb"(?:GET|POST|HEAD|OPTIONS) (\S+) HTTP/1\.1\r\n((?:[^\r\n]+\r\n)+)\r\n"
)


def tokens_of(visitor: Visitor) -> set[str]:
    """Return the tokens that a visitor's browser keeps."""
    stored = visitor.view.evaluate("Object.values(localStorage)")
    return {value for value in stored if value.count(".") == 2}


def test_no_secret_stands_in_a_url_a_referrer_or_a_log(
    world: World, visitor: Visitor, agent: AgentPerson, browsers: Browsers
) -> None:
    visitor.write("hello")
    agent.open_first()
    agent.sees("hello")
    agent.write("hello to you")
    visitor.sees("hello to you")
    # A token is renewed at every load; the one before is as secret.
    secrets = tokens_of(visitor)
    visitor.reload()
    world.network.websockets = "refuse"
    by_poll = Visitor(world, browsers.context()).open()
    by_poll.write("over HTTP")
    by_poll.live().is_on("longpoll")
    secrets |= {str(c["value"]) for c in agent.page.context.cookies()}
    for person in (visitor, by_poll):
        secrets |= tokens_of(person)
    poll_sessions = set(re.findall(rb"kefu-session: ?(\S+)", world.network.heard))
    secrets |= {value.decode() for value in poll_sessions}
    assert len(secrets) >= 6
    said = []
    for person in (visitor, by_poll, agent):
        for frame in person.page.frames:
            said += frame.evaluate("performance.getEntries().map(e => e.name)")
            said += [frame.url, frame.evaluate("document.referrer")]
    heads = _HEAD.findall(world.network.heard)
    assert len(heads) > 20
    for target, headers in heads:
        said.append(target.decode())
        said += re.findall(r"(?im)^referer: ?(.*)$", headers.decode())
    said += world.shop.asked
    agent.page.get_by_role("button", name="Log out").click()
    world.kill()
    said.append(world.log)
    for secret in secrets:
        assert not [text for text in said if secret in text]
