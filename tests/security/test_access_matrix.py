"""Every frame, call and list for everybody: each cell is asserted, none is left out.

A frame, a method or a list that is added without a row here fails the first tests.
"""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from kefu_core.abc.outgoing import MailRules
from kefu_core.desk.access import QUEUE, RIGHTS, STAFFED
from kefu_core.desk.calls import CALLS
from kefu_core.desk.visiting import Report
from kefu_core.errors import CloseCode
from kefu_core.model import Agent, MessageKind
from kefu_core.protocol import frames as f
from kefu_core.records import (
    ApiToken,
    Ban,
    BanKind,
    CannedReply,
    GlossaryEntry,
    Mail,
    OfflineMessage,
    ReplyScope,
    Team,
    Webhook,
    WebhookDelivery,
)
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.core.desk.world import Wire, World, world

pytestmark = pytest.mark.anyio

NOBODY = ("", "forged", "expired")
"""Tokens that nobody has: none at all, a made-up one and one that has ended."""
VISITOR, OTHER, OTHER_SITE, AGENT, ADMIN = "v1", "v2", "v1@2", "a1", "a2"
OTHER_AGENT = "a3"
"""Answers for the second site only; `v1` is on the first."""
PRINCIPALS = (VISITOR, OTHER, OTHER_SITE, AGENT, ADMIN, OTHER_AGENT)

OK = "ok"
Build = Callable[[ConversationId, str], list[f.Frame]]
"""Makes a cell's frames for the conversation of `v1`; the last is asked about."""
ABSENT = ConversationId(12_345)
LEFT = 77
"""The message that `v1` left on the first site."""


class Row:
    """One line of the matrix."""

    def __init__(
        self,
        build: Build,
        answer: type[f.Frame] | None,
        *cells: str,
        other: str = "",
    ) -> None:
        """Take the frames, the kind of a good answer, and each principal's outcome.

        `other` is the outcome of the other site's agent; empty: the same as of an agent
        of this site, since nothing in it is of a site.
        """
        self.build = build
        self.answer = answer
        self.cells = dict(zip(PRINCIPALS[:5], cells, strict=True))
        self.cells[OTHER_AGENT] = other or self.cells[AGENT]


OWN_ONLY = (OK, "not_found", "not_found", OK, OK)
EVERYBODY = (OK, OK, OK, OK, OK)
AGENTS_ONLY = ("not_found", "not_found", "not_found", OK, OK)
ADMINS_ONLY = (*["not_found"] * 4, OK)
VISITORS_ONLY = (OK, OK, OK, "not_found", "not_found")


def _followed(frame: Callable[[ConversationId], f.Frame]) -> Build:
    return lambda c, me: [f.Follow(conversation=c), frame(c)]


def _only(frame: Callable[[ConversationId], f.Frame]) -> Build:
    return lambda c, me: [frame(c)]


def _send(kind: MessageKind) -> Build:
    return _only(lambda c: f.Send(key="k", conversation=c, n=1, kind=kind, body="x"))


def _own(build: Build, answer: type[f.Frame] | None) -> Row:
    """Return a row about the conversation: its visitor, and who serves its site."""
    return Row(build, answer, *OWN_ONLY, other="not_found")


def _auth(token: str) -> Build:
    return lambda c, me: [f.Auth(token=token)]


FRAMES: dict[type[f.Frame], list[Row]] = {
    f.Hello: [Row(lambda c, me: [f.Hello(token=me)], None, *["bad_request"] * 5)],
    f.Auth: [
        Row(lambda c, me: [f.Auth(token=me)], f.AuthOk, *EVERYBODY),
        Row(_auth(VISITOR), f.AuthOk, OK, *["forbidden"] * 4),
        Row(
            _auth(OTHER_SITE),
            f.AuthOk,
            "forbidden",
            "forbidden",
            OK,
            "forbidden",
            "forbidden",
        ),
        Row(
            _auth(AGENT),
            f.AuthOk,
            *["forbidden"] * 3,
            OK,
            "forbidden",
            other="forbidden",
        ),
        Row(_auth(ADMIN), f.AuthOk, *["forbidden"] * 4, OK),
        *[Row(_auth(token), None, *["unauthorized"] * 5) for token in NOBODY],
    ],
    f.Follow: [_own(_only(lambda c: f.Follow(conversation=c)), f.Head)],
    f.Unfollow: [Row(_only(lambda c: f.Unfollow(conversation=c)), None, *EVERYBODY)],
    f.Send: [
        _own(_send(MessageKind.TEXT), f.Sent),
        Row(
            _send(MessageKind.NOTE),
            f.Sent,
            "forbidden",
            "not_found",
            "not_found",
            OK,
            OK,
            other="not_found",
        ),
        *[
            Row(
                _send(kind),
                None,
                "forbidden",
                "not_found",
                "not_found",
                "forbidden",
                "forbidden",
                other="not_found",
            )
            for kind in MessageKind
            if kind not in (MessageKind.TEXT, MessageKind.NOTE)
        ],
    ],
    f.Ack: [
        _own(_followed(lambda c: f.Ack(conversation=c, seq=Seq(0))), None),
        Row(
            _only(lambda c: f.Ack(conversation=c, seq=Seq(0))), None, *["not_found"] * 5
        ),
    ],
    f.Read: [
        _own(_followed(lambda c: f.Read(conversation=c, seq=Seq(0))), None),
        Row(
            _only(lambda c: f.Read(conversation=c, seq=Seq(0))),
            None,
            *["not_found"] * 5,
        ),
    ],
    f.Fetch: [_own(_only(lambda c: f.Fetch(id="i", conversation=c)), f.Page)],
    f.Typing: [
        _own(_followed(lambda c: f.Typing(conversation=c)), None),
        Row(_only(lambda c: f.Typing(conversation=c)), None, *["not_found"] * 5),
    ],
    f.Call: [],  # Below, by method.
    f.Watch: [],  # Below, by topic.
    f.Unwatch: [Row(_only(lambda c: f.Unwatch(topic="x")), None, *EVERYBODY)],
    f.Ping: [Row(_only(lambda c: f.Ping()), f.Pong, *EVERYBODY)],
    f.Pong: [Row(_only(lambda c: f.Pong()), None, *EVERYBODY)],
    f.Bye: [Row(_only(lambda c: f.Bye()), f.Closed, *EVERYBODY)],
}


def _call(method: str, answer: Any, *cells: str, with_target: bool = False) -> Row:
    def build(c: ConversationId, me: str) -> list[f.Frame]:
        params: dict[str, Any] = {"conversation": c} if with_target else {}
        if method == "people.get":
            params = {"ids": ["a1", "v1"]}
        if method == "message.preview":
            params["text"] = "x"
        if method == "conversation.label":
            params["labels"] = ["vip"]
        if method == "conversation.rate":
            params["score"] = 5
        if method == "message.send":
            params |= {"key": "k" * 8, "body": "x"}
        if method == "offline.leave":
            params = {"key": "k" * 8, "body": "x", "email": "a@b.example"}
        if method in ("offline.handle", "offline.reopen"):
            params = {"message": LEFT}
        if method == "reports.get":
            params = {"first_day": 20260101, "last_day": 20260131}
        params = PARAMS.get(method, params)
        return [f.Call(id="i", method=method, params=params)]

    is_of_site = with_target or method in OF_THE_SITE
    return Row(build, answer, *cells, other="not_found" if is_of_site else "")


OF_THE_SITE = {
    "ban.lift",
    "ban.put",
    "glossary.delete",
    "glossary.list",
    "glossary.set",
    "mail.resend",
    "offline.answer_by_conversation",
    "offline.answer_by_mail",
    "offline.handle",
    "offline.reopen",
    "reply.delete",
    "token.delete",
    "translation.preview",
    "visitor.get",
    "visitor.put",
    "visit.get",
    "visit.invite",
}
"""Methods without a conversation whose target is the first site's, or its agent's."""
PARAMS: dict[str, dict[str, Any]] = {
    "account.put": {"language": "en"},
    "agent.deactivate": {"agent": 1},
    "agent.put": {"agent": 1, "name": "x"},
    "presence.set": {"status": "away"},
    "team.put": {"name": "x"},
    "glossary.list": {"site": 1},
    "glossary.set": {"site": 1, "target": "en", "text": "x", "translation": "y"},
    "glossary.delete": {"entry": LEFT},
    "translation.preview": {"site": 1, "texts": ["x"], "target": "en"},
    "reply.put": {"body": "x"},
    "reply.delete": {"reply": LEFT},
    "team.delete": {"team": LEFT},
    "token.create": {"name": "bot", "scopes": ["conversations:read"]},
    "token.delete": {"token": LEFT},
    "absence.put": {"site": 1, "may_chat": True, "notices_to": []},
    "deliveries.list": {"webhook": LEFT},
    "delivery.resend": {"delivery": LEFT},
    "mail.resend": {"mail": LEFT},
    "webhook.delete": {"webhook": LEFT},
    "webhook.put": {"url": "https://a.example/", "events": ["message.created"]},
    "webhook.test": {"webhook": LEFT},
    "site.put": {"name": "x"},
    "ban.lift": {"ban": LEFT},
    "ban.put": {"visitor": 1},
    "visitor.introduce": {"name": "x", "attributes": {"plan": "pro"}},
    "visitor.language": {"language": "en"},
    "visitor.get": {"visitor": 1},
    "visitor.put": {"visitor": 1, "revision": 0, "name": "x"},
    "site.secret": {"site": 1},
    "visit.get": {"visitor": 9},
    "visit.invite": {"visitor": 9, "text": "x"},
    "offline.answer_by_conversation": {"message": LEFT},
    "offline.answer_by_mail": {"message": LEFT, "text": "x", "key": "k" * 8},
}

METHODS: dict[str, Row] = {
    "account.put": _call("account.put", f.Reply, *AGENTS_ONLY),
    "agent.deactivate": _call("agent.deactivate", f.Reply, *ADMINS_ONLY),
    "agent.put": _call("agent.put", f.Reply, *ADMINS_ONLY),
    "agents.list": _call("agents.list", f.Reply, *AGENTS_ONLY),
    "agents.present": _call("agents.present", f.Reply, *AGENTS_ONLY),
    "presence.set": _call("presence.set", f.Reply, *AGENTS_ONLY),
    "glossary.list": _call("glossary.list", f.Reply, *AGENTS_ONLY),
    "glossary.set": _call("glossary.set", f.Reply, *AGENTS_ONLY),
    "glossary.delete": _call("glossary.delete", f.Reply, *AGENTS_ONLY),
    "translation.figures": _call("translation.figures", f.Reply, *ADMINS_ONLY),
    "translation.preview": _call("translation.preview", f.Reply, *AGENTS_ONLY),
    "replies.list": _call("replies.list", f.Reply, *AGENTS_ONLY),
    "reply.put": _call("reply.put", f.Reply, *AGENTS_ONLY),
    "reply.delete": _call("reply.delete", f.Reply, *AGENTS_ONLY),
    "teams.list": _call("teams.list", f.Reply, *AGENTS_ONLY),
    "team.put": _call("team.put", f.Reply, *ADMINS_ONLY),
    "team.delete": _call("team.delete", f.Reply, *ADMINS_ONLY),
    "audit.list": _call("audit.list", f.Reply, *ADMINS_ONLY),
    "conversation.assign": _call(
        "conversation.assign", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "conversation.reopen": _call(
        "conversation.reopen", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "conversation.get": _call(
        "conversation.get", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "message.send": _call("message.send", f.Reply, *OWN_ONLY, with_target=True),
    "message.edit": Row(
        _only(
            lambda c: f.Call(
                id="i",
                method="message.edit",
                params={"conversation": c, "seq": 3, "key": "k", "body": "x"},
            )
        ),
        f.Reply,
        "not_found",
        "not_found",
        "not_found",
        OK,  # It is the agent's.
        "not_found",
        other="not_found",
    ),
    "message.recall": Row(
        _only(
            lambda c: f.Call(
                id="i", method="message.recall", params={"conversation": c, "seq": 3}
            )
        ),
        f.Reply,
        "not_found",
        "not_found",
        "not_found",
        OK,  # It is the agent's.
        "not_found",
        other="not_found",
    ),
    "messages.list": _call("messages.list", f.Reply, *OWN_ONLY, with_target=True),
    "token.create": _call("token.create", f.Reply, *AGENTS_ONLY),
    "token.delete": _call("token.delete", f.Reply, *AGENTS_ONLY),
    "tokens.list": _call("tokens.list", f.Reply, *AGENTS_ONLY),
    "absence.list": _call("absence.list", f.Reply, *ADMINS_ONLY),
    "absence.put": _call("absence.put", f.Reply, *ADMINS_ONLY),
    "deliveries.list": _call("deliveries.list", f.Reply, *ADMINS_ONLY),
    "delivery.resend": _call("delivery.resend", f.Reply, *ADMINS_ONLY),
    "webhook.delete": _call("webhook.delete", f.Reply, *ADMINS_ONLY),
    "webhook.put": _call("webhook.put", f.Reply, *ADMINS_ONLY),
    "webhook.test": _call("webhook.test", f.Reply, *ADMINS_ONLY),
    "site.put": _call("site.put", f.Reply, *ADMINS_ONLY),
    "site.secret": _call("site.secret", f.Reply, *ADMINS_ONLY),
    "sites.list": _call("sites.list", f.Reply, *AGENTS_ONLY),
    "visit.get": _call("visit.get", f.Reply, *AGENTS_ONLY),
    "visit.invite": _call("visit.invite", f.Reply, *AGENTS_ONLY),
    "visitors.list": _call("visitors.list", f.Reply, *AGENTS_ONLY),
    "webhooks.list": _call("webhooks.list", f.Reply, *ADMINS_ONLY),
    "mail.resend": _call("mail.resend", f.Reply, *AGENTS_ONLY),
    "offline.answer_by_conversation": _call(
        "offline.answer_by_conversation", f.Reply, *AGENTS_ONLY
    ),
    "offline.answer_by_mail": _call("offline.answer_by_mail", f.Reply, *AGENTS_ONLY),
    "conversation.open": _call("conversation.open", f.Reply, *VISITORS_ONLY),
    "conversation.end": _call(
        "conversation.end",
        f.Reply,
        OK,
        *["not_found"] * 4,
        with_target=True,
    ),
    "conversation.rate": _call(
        "conversation.rate",
        f.Reply,
        "conflict",  # Only what is closed is rated.
        *["not_found"] * 4,
        with_target=True,
    ),
    "conversation.take": _call(
        "conversation.take", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "conversation.close": _call(
        "conversation.close", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "conversation.label": _call(
        "conversation.label", f.Reply, *AGENTS_ONLY, with_target=True
    ),
    "conversation.translate": _call(
        "conversation.translate",
        f.Reply,
        OK,
        *["not_found"] * 2,
        OK,
        OK,
        with_target=True,
    ),
    "conversation.read": _call(
        "conversation.read",
        f.Reply,
        *["not_found"] * 3,
        *["conflict"] * 2,  # Nothing translates in these tests.
        with_target=True,
    ),
    "message.preview": _call(
        "message.preview",
        f.Reply,
        *["not_found"] * 3,
        *["conflict"] * 2,  # Nothing translates in these tests.
        with_target=True,
    ),
    "conversations.list": _call("conversations.list", f.Reply, *AGENTS_ONLY),
    "offline.handle": _call("offline.handle", f.Reply, *AGENTS_ONLY),
    "offline.leave": _call("offline.leave", f.Reply, *VISITORS_ONLY),
    "offline.list": _call("offline.list", f.Reply, *AGENTS_ONLY),
    "offline.reopen": _call("offline.reopen", f.Reply, *AGENTS_ONLY),
    "people.get": _call("people.get", f.Reply, *EVERYBODY),
    "reports.get": _call("reports.get", f.Reply, *AGENTS_ONLY),
    "ban.lift": _call("ban.lift", f.Reply, *AGENTS_ONLY),
    "ban.put": _call("ban.put", f.Reply, *AGENTS_ONLY),
    "bans.list": _call("bans.list", f.Reply, *AGENTS_ONLY),
    "visitor.introduce": _call("visitor.introduce", f.Reply, *VISITORS_ONLY),
    "visitor.language": _call("visitor.language", f.Reply, *VISITORS_ONLY),
    "visitor.get": _call("visitor.get", f.Reply, *AGENTS_ONLY),
    "visitor.put": _call("visitor.put", f.Reply, *AGENTS_ONLY),
}
UNKNOWN_METHOD = _call("visitor.delete", None, *["not_found"] * 5)


def _watch(topic: str, *cells: str) -> Row:
    return Row(lambda c, me: [f.Watch(topic=topic)], f.Snapshot, *cells)


TOPICS: dict[str, Row] = {
    "agents": _watch("agents", *AGENTS_ONLY),
    "conversations": _watch("conversations", *AGENTS_ONLY),
    "offline": _watch("offline", *AGENTS_ONLY),
    "profiles": _watch("profiles", *AGENTS_ONLY),
    "visitors": _watch("visitors", *AGENTS_ONLY),
}
OF_SITES = {
    f"{STAFFED}1": _watch(f"{STAFFED}1", OK, OK, "not_found", "not_found", "not_found"),
    f"{STAFFED}2": _watch(f"{STAFFED}2", *["not_found"] * 2, OK, *["not_found"] * 2),
}
OF_VISITORS = {
    f"{QUEUE}1.v1": _watch(f"{QUEUE}1.v1", OK, *["not_found"] * 4),
    f"{QUEUE}2.v1": _watch(f"{QUEUE}2.v1", *["not_found"] * 2, OK, *["not_found"] * 2),
}
"""Each visitor's own; they begin when they are watched."""
UNKNOWN_TOPIC = _watch("visits of v1", *["not_found"] * 5)

FRAMES[f.Call] = [*METHODS.values(), UNKNOWN_METHOD]
FRAMES[f.Watch] = [
    *TOPICS.values(),
    *OF_SITES.values(),
    *OF_VISITORS.values(),
    UNKNOWN_TOPIC,
]


def test_every_frame_a_server_receives_has_a_row() -> None:
    assert set(FRAMES) == set(get_args(f.ClientFrame))
    assert all(FRAMES.values())


def test_every_method_has_a_row() -> None:
    assert set(METHODS) == set(CALLS)
    assert set(METHODS) == frozenset.union(*(r.calls for r in RIGHTS.values()))


async def test_every_list_has_a_row() -> None:
    assert set(TOPICS) == frozenset.union(*(r.topics for r in RIGHTS.values()))
    async with world() as w:
        assert {*TOPICS, *OF_SITES} == set(w.hub.lists._topics)


def _rows() -> list[Any]:
    return [
        pytest.param(kind, row, id=f"{kind.__name__.lower()}-{number}")
        for kind, rows in FRAMES.items()
        for number, row in enumerate(rows)
    ]


async def conversation_with_rows(w: World) -> ConversationId:
    """Return a conversation of `v1` on the first site, with a note in it."""
    conversation = await w.conversation("v1")
    await w.say(conversation, "v1", "question")
    await w.say(conversation, "a1", "secret", MessageKind.NOTE)
    await w.say(conversation, "a1", "answer")
    await w.store.put_records(
        OfflineMessage(
            id=LEFT,
            site_id=1,
            visitor=ParticipantId("v1"),
            body="canary",
            email="canary@v1.example",
        ),
        Team(id=LEFT, name="canary team"),
        Ban(id=LEFT, kind=BanKind.VISITOR, value="v99", site_id=1, reason="canary"),
        CannedReply(id=LEFT, scope=ReplyScope.OWN, owner=1, body="canary"),
        GlossaryEntry(
            id=LEFT,
            site_id=1,
            target="en",
            text_key="canary",
            body="canary",
            translation="canary",
            agent_id=1,
        ),
        Mail(id=LEFT, recipient="canary@v1.example", about=LEFT, body="canary"),
        ApiToken(id=LEFT, name="canary", token_hash="canary", agent_id=1),
        Webhook(id=LEFT, url="https://canary.example/", secret="canary"),
        WebhookDelivery(id=LEFT, webhook_id=LEFT, event="ping", payload="canary"),
    )
    await w.store.put_agent(
        Agent(id=3, login="canary-3", name="N", password_hash="-", sites=(2,))
    )
    w.desk.mail = MailRules(sender="kefu@shop.example")
    if w.desk.visits.find(9) is None:
        w.desk.visits.report(1, 9, Report(page="p", url="https://canary.example/"))
    return conversation


def _outcome(row: Row, asked: f.Frame, answers: list[Any]) -> str:
    name = str(asked.__struct_config__.tag)
    errors = [
        x.code for x in answers if isinstance(x, f.ErrorFrame) and x.frame == name
    ]
    if errors:
        # One act has one answer: a refusal and a result would contradict each other.
        assert len(errors) == 1
        if row.answer is not None:
            assert not any(isinstance(x, row.answer) for x in answers)
        return str(errors[0])
    if row.answer is not None:
        assert any(isinstance(x, row.answer) for x in answers), answers
    return OK


@pytest.mark.parametrize(("kind", "row"), _rows())
async def test_each_principal_gets_what_the_row_says(
    kind: type[f.Frame], row: Row
) -> None:
    for who in PRINCIPALS:
        async with world() as w:
            conversation = await conversation_with_rows(w)
            wire = await w.live(who)
            frames = row.build(conversation, who)
            assert isinstance(frames[-1], kind)
            answers = await wire.answers(*frames[:-1])
            answers += await wire.answers(frames[-1])
            assert _outcome(row, frames[-1], answers) == row.cells[who], who
            if row.cells[who] == "not_found":
                # Nothing at all is told besides the refusals.
                assert {type(x) for x in answers} == {f.ErrorFrame}, who
            wire.cut()


@pytest.mark.parametrize(("kind", "row"), _rows())
async def test_nobody_gets_anything_before_hello(kind: type[f.Frame], row: Row) -> None:
    if kind is f.Hello:
        return
    async with world() as w:
        conversation = await conversation_with_rows(w)
        wire = Wire(w.stream())
        answers = await wire.answers(*row.build(conversation, ""))
        assert {type(x) for x in answers} <= {f.ErrorFrame, f.Pong, f.Closed}
        if kind not in (f.Ping, f.Pong, f.Bye):
            assert {x.code for x in answers} == {"bad_request"}
        wire.cut()


@pytest.mark.parametrize("token", NOBODY)
@pytest.mark.parametrize(("kind", "row"), _rows())
async def test_a_wrong_token_gets_a_refusal_and_the_end(
    kind: type[f.Frame], row: Row, token: str
) -> None:
    async with world() as w:
        conversation = await conversation_with_rows(w)
        wire = Wire(w.stream())
        frames = [] if kind is f.Bye else row.build(conversation, token)
        await wire.send(f.Hello(token=token), *frames)
        answers = await wire.all_until_closed()
        assert {type(x) for x in answers} <= {f.ErrorFrame, f.Pong, f.Closed}
        assert "unauthorized" in {getattr(x, "code", None) for x in answers}
        assert answers[-1].code == CloseCode.UNAUTHORIZED
        stored = await w.store.history(conversation)
        assert len(stored) == 3


@pytest.mark.parametrize(("kind", "row"), _rows())
@pytest.mark.parametrize("who", [OTHER, OTHER_SITE, OTHER_AGENT])
async def test_what_is_hidden_and_what_is_absent_are_told_alike(
    kind: type[f.Frame], row: Row, who: str
) -> None:
    async with world() as w:
        hidden, told = await conversation_with_rows(w), []
        for target in (hidden, ABSENT):
            wire = await w.live(who)
            answers = []
            for frame in row.build(target, who):
                answers += await wire.answers(frame)
            told.append(
                [
                    (x.code, x.text, x.retry, x.after_s)
                    for x in answers
                    if isinstance(x, f.ErrorFrame)
                ]
            )
            wire.cut()
        assert told[0] == told[1]


async def test_a_login_that_was_revoked_ends_its_live_connections() -> None:
    async with world() as w:
        revoked, other = await w.live(AGENT), await w.live(ADMIN)
        w.hub.drop_session("session-canary-a1")
        closed = await revoked.until(f.Closed)
        assert closed.code == CloseCode.UNAUTHORIZED
        await other.send(f.Ping())
        await other.until(f.Pong)
        other.cut()


async def test_a_note_is_an_empty_place_to_its_visitor_and_a_text_to_agents() -> None:
    async with world() as w:
        conversation = await conversation_with_rows(w)
        for who, body in ((VISITOR, ""), (AGENT, "secret"), (ADMIN, "secret")):
            wire = await w.live(who)
            answers = await wire.answers(
                f.Follow(conversation=conversation),
                f.Fetch(id="i", conversation=conversation),
            )
            page = next(x for x in answers if isinstance(x, f.Page))
            assert page.messages[1].body == body
            while not any(getattr(x, "seq", 0) == 2 for x in wire.seen):
                await wire.until(f.MessageFrame)
            shown = [x for x in wire.seen if isinstance(x, f.MessageFrame)]
            assert [x.body for x in shown if x.seq == 2] == [body]
            wire.cut()
