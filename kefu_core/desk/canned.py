"""Canned replies: texts that agents send often, their own, of a team, or of all."""

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.desk.conversations import require_team
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.offline import check_line
from kefu_core.errors import Conflict, Invalid, NotAllowed, NotFound
from kefu_core.languages import TAG_MAX, normal_tag
from kefu_core.model import Principal, Role
from kefu_core.records import CannedReply, ReplyScope, Team
from kefu_core.site import LANGUAGES_MAX
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

REPLIES_MAX = 500
"""Of one agent, of one team, or of all: what a menu can still search as one types."""
SHORTCUT_CHARS, TITLE_CHARS, FOLDER_CHARS, BODY_CHARS = 40, 200, 100, 4_000
Body = Annotated[str, msgspec.Meta(min_length=1, max_length=BODY_CHARS)]
_SHORTCUT = re.compile(r"[\w.-]+", re.UNICODE)
PLACEHOLDERS = ("visitor", "agent", "site")
"""What `{…}` in a text may name; the console puts it in before it is sent."""
_PLACEHOLDER = re.compile(r"\{(\w{1,20})\}")


class ListReplies(Params, frozen=True, kw_only=True):
    """`replies.list`: those of all, of one's teams and one's own, by shortcut."""


class PutReply(Params, frozen=True, kw_only=True):
    """`reply.put`: make or change one; those of all and of teams are an admin's."""

    reply: Id | None = None
    """Which one to change; left out: a new one."""
    scope: ReplyScope = ReplyScope.OWN
    team: Id | None = None
    """Whose it is, with the scope `team`."""
    shortcut: Annotated[str, msgspec.Meta(max_length=SHORTCUT_CHARS)] = ""
    """What one types after `/`: letters, digits, `.`, `-` and `_`."""
    title: Annotated[str, msgspec.Meta(max_length=TITLE_CHARS)] = ""
    folder: Annotated[str, msgspec.Meta(max_length=FOLDER_CHARS)] = ""
    body: Body
    """`{visitor}`, `{agent}` and `{site}` stand for names."""
    language: Annotated[str, msgspec.Meta(max_length=16)] = ""
    translations: Annotated[
        dict[Annotated[str, msgspec.Meta(max_length=TAG_MAX)], Body],
        msgspec.Meta(max_length=LANGUAGES_MAX),
    ] = msgspec.field(default_factory=dict)
    """The same in other languages, by tag, such as `pt-BR`."""


class DeleteReply(Params, frozen=True, kw_only=True):
    """`reply.delete`: for good; an admin's right over everybody's."""

    reply: Id


class ReplyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A canned reply."""

    id: int
    scope: ReplyScope
    team: int | None
    shortcut: str
    title: str
    folder: str
    body: str
    language: str
    translations: dict[str, str]
    may_change: bool
    """Whether who asked may."""


class SomeReplies(msgspec.Struct, frozen=True, kw_only=True):
    """All that one can use."""

    rows: list[ReplyRow]


class OneReply(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    reply: ReplyRow


class GoneReply(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the one that is gone."""

    reply: int


def _row(principal: Principal, reply: CannedReply) -> ReplyRow:
    return ReplyRow(
        id=reply.id,
        scope=reply.scope,
        team=reply.owner if reply.scope is ReplyScope.TEAM else None,
        shortcut=reply.shortcut,
        title=reply.title,
        folder=reply.folder,
        body=reply.body,
        language=reply.language,
        translations=reply.translations,
        may_change=_may_change(principal, reply.scope, reply.owner),
    )


def _number_of(principal: Principal) -> int:
    return int(principal.participant[1:])


def _may_change(principal: Principal, scope: ReplyScope, owner: int) -> bool:
    if scope is ReplyScope.OWN:
        return owner == _number_of(principal)
    return principal.role is Role.ADMIN


async def _list(desk: "Desk", principal: Principal, params: ListReplies) -> SomeReplies:
    me = _number_of(principal)
    teams = await desk.store.list_records(Team, limit=PAGE_MAX)
    owners = [(ReplyScope.ALL, 0), (ReplyScope.OWN, me)]
    owners += [
        (ReplyScope.TEAM, team.id)
        for team in teams
        if me in team.agents or principal.role is Role.ADMIN
    ]
    found: list[CannedReply] = []
    for scope, owner in owners:
        found += await _of(desk, scope, owner)
    found.sort(key=lambda reply: (reply.shortcut, reply.title, reply.id))
    return SomeReplies(rows=[_row(principal, reply) for reply in found])


async def _of(desk: "Desk", scope: ReplyScope, owner: int) -> list[CannedReply]:
    where: dict[str, str | int] = {"scope": scope, "owner": owner}
    return await desk.store.list_records(CannedReply, where=where, limit=REPLIES_MAX)


async def _put(desk: "Desk", principal: Principal, params: PutReply) -> OneReply:
    owner = await _owner(desk, principal, params)
    async with desk.settling:
        if params.reply is not None:
            reply_id = (await _require(desk, principal, params.reply)).id
        else:
            if len(await _of(desk, params.scope, owner)) >= REPLIES_MAX:
                raise Conflict(f"There are {REPLIES_MAX} canned replies already.")
            reply_id = desk.ids.new()
        reply = CannedReply(
            id=reply_id,
            scope=params.scope,
            owner=owner,
            folder=check_line(params.folder, "The folder"),
            shortcut=_checked_shortcut(params.shortcut),
            title=check_line(params.title, "The title"),
            body=_checked_body(params.body),
            language=check_line(params.language, "The language"),
            updated_at=UnixMs(desk.now_ms()),
            translations=_checked_translations(params.translations),
        )
        await desk.store.put_records(reply)
        if reply.scope is not ReplyScope.OWN:
            what = {"shortcut": reply.shortcut, "title": reply.title}
            await note(desk, principal, "reply.put", f"reply {reply.id}", what)
    return OneReply(reply=_row(principal, reply))


async def _owner(desk: "Desk", principal: Principal, params: PutReply) -> int:
    """Return whose the new text is. Raises `Invalid`, `NotAllowed`, `NotFound`."""
    if (params.team is not None) != (params.scope is ReplyScope.TEAM):
        raise Invalid("reply.put: `team` goes with the scope `team`, and only with it.")
    owner = 0
    if params.scope is ReplyScope.OWN:
        owner = _number_of(principal)
    elif params.team is not None:
        owner = (await require_team(desk, params.team)).id
    if not _may_change(principal, params.scope, owner):
        raise NotAllowed("Only an admin changes the replies of all and of teams.")
    return owner


def _checked_shortcut(text: str) -> str:
    text = text.strip().removeprefix("/")
    if text and not _SHORTCUT.fullmatch(text):
        raise Invalid(
            "reply.put: a shortcut has letters, digits, dots, dashes and underscores."
        )
    return text


def _checked_body(text: str) -> str:
    text = text.strip()
    check_characters(text, "The text")
    if not text:
        raise Invalid("reply.put: the text is empty.")
    for name in _PLACEHOLDER.findall(text):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise Invalid(
                f"reply.put: {{{name}}} stands for nothing; there are {known}."
            )
    return text


def _checked_translations(texts: dict[str, str]) -> dict[str, str]:
    checked = {normal_tag(tag): _checked_body(text) for tag, text in texts.items()}
    if "" in checked or len(checked) != len(texts):
        raise Invalid(
            "reply.put: a language is a tag, such as pt-BR, and has one translation."
        )
    return checked


async def _require(desk: "Desk", principal: Principal, reply_id: int) -> CannedReply:
    """Return one that may be changed. Raises `NotFound`, also for others' own."""
    reply = await desk.store.find_record(CannedReply, reply_id)
    if reply is None or not _may_change(principal, reply.scope, reply.owner):
        raise NotFound
    return reply


async def _delete(desk: "Desk", principal: Principal, params: DeleteReply) -> GoneReply:
    async with desk.settling:
        reply = await desk.store.find_record(CannedReply, params.reply)
        is_admin = principal.role is Role.ADMIN
        if reply is None or not (
            is_admin or _may_change(principal, reply.scope, reply.owner)
        ):
            raise NotFound
        await desk.store.delete_records(CannedReply, [reply.id])
        if reply.scope is not ReplyScope.OWN:
            what = {"shortcut": reply.shortcut, "title": reply.title}
            await note(desk, principal, "reply.delete", f"reply {reply.id}", what)
    return GoneReply(reply=reply.id)


METHODS: Methods = {
    "replies.list": Method(
        params=ListReplies,
        run=_list,
        result=SomeReplies,
        http="GET /replies",
        scope="settings:read",
    ),
    "reply.put": Method(
        params=PutReply,
        run=_put,
        result=OneReply,
        http="POST /replies",
        scope="settings:write",
    ),
    "reply.delete": Method(
        params=DeleteReply,
        run=_delete,
        result=GoneReply,
        http="DELETE /replies/{reply}",
        scope="settings:write",
    ),
}
