"""How texts are to be translated: agents correct what a service got wrong, once."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.journal import note
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.errors import Conflict, Invalid, NotFound
from kefu_core.languages import TAG_MAX, are_same, normal_tag, text_key
from kefu_core.model import Principal, Role
from kefu_core.records import GlossaryEntry
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

ENTRIES_MAX = 2_000
"""Of one site: every node holds them in memory."""
TEXT_CHARS = 4_000
_PAGE = 500
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS)]
Tag = Annotated[str, msgspec.Meta(max_length=TAG_MAX)]


class ListGlossary(Params, frozen=True, kw_only=True):
    """`glossary.list`: a site's corrections, newest first."""

    site: Id
    before: Id | None = None
    """The last id of the page before."""
    limit: Limit = 50


class SetGlossary(Params, frozen=True, kw_only=True):
    """`glossary.set`: from now on this text is translated so; it wins over services."""

    site: Id
    source: Tag = ""
    """The language of the text; left out: whatever it is taken for."""
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=TAG_MAX)]
    text: Text
    """A whole message; blanks around it do not matter."""
    translation: Text


class DeleteGlossary(Params, frozen=True, kw_only=True):
    """`glossary.delete`: services translate it again; admins take back everybody's."""

    entry: Id


class GlossaryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A correction."""

    id: int
    site: int
    source: str
    target: str
    text: str
    translation: str
    agent: int
    """Who wants it so."""
    updated_at: int
    may_delete: bool
    """Whether who asked may."""


class SomeGlossary(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    rows: list[GlossaryRow]


class OneGlossary(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    entry: GlossaryRow


class GoneGlossary(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the one that is gone."""

    entry: int


def _number_of(principal: Principal) -> int:
    return int(principal.participant[1:])


def _may_delete(principal: Principal, entry: GlossaryEntry) -> bool:
    return principal.role is Role.ADMIN or entry.agent_id == _number_of(principal)


def _row(principal: Principal, entry: GlossaryEntry) -> GlossaryRow:
    return GlossaryRow(
        id=entry.id,
        site=entry.site_id,
        source=entry.source,
        target=entry.target,
        text=entry.body,
        translation=entry.translation,
        agent=entry.agent_id,
        updated_at=entry.updated_at,
        may_delete=_may_delete(principal, entry),
    )


async def _require_site(desk: "Desk", principal: Principal, site_id: int) -> None:
    known = {site.id for site in await desk.store.sites()}
    if site_id not in known or not principal.serves(site_id):
        raise NotFound


async def _list(
    desk: "Desk", principal: Principal, params: ListGlossary
) -> SomeGlossary:
    await _require_site(desk, principal, params.site)
    found = await desk.store.list_records(
        GlossaryEntry,
        where={"site_id": params.site},
        before=params.before,
        limit=params.limit,
    )
    return SomeGlossary(rows=[_row(principal, entry) for entry in found])


async def _set(desk: "Desk", principal: Principal, params: SetGlossary) -> OneGlossary:
    await _require_site(desk, principal, params.site)
    source, target = _languages(params)
    texts = [params.text.strip(), params.translation.strip()]
    for text in texts:
        check_characters(text, "The text")
        if not text:
            raise Invalid("glossary.set: a text is empty.")
    key = text_key(texts[0])
    where: dict[str, str | int] = {
        "site_id": params.site,
        "text_key": key,
        "target": target,
        "source": source,
    }
    async with desk.settling:
        found = await desk.store.list_records(GlossaryEntry, where=where, limit=1)
        if not found:
            await _require_room(desk, params.site)
        entry = GlossaryEntry(
            id=found[0].id if found else desk.ids.new(),
            site_id=params.site,
            source=source,
            target=target,
            text_key=key,
            body=texts[0],
            translation=texts[1],
            agent_id=_number_of(principal),
            updated_at=UnixMs(desk.now_ms()),
        )
        await desk.store.put_records(entry)
        await note(desk, principal, "glossary.set", f"glossary {entry.id}", {})
    return OneGlossary(entry=_row(principal, entry))


def _languages(params: SetGlossary) -> tuple[str, str]:
    source, target = normal_tag(params.source), normal_tag(params.target)
    if not target or (params.source and not source):
        raise Invalid("glossary.set: a language is a tag, such as pt-BR.")
    if are_same(source, target):
        raise Invalid("glossary.set: both languages are the same.")
    return source, target


async def _require_room(desk: "Desk", site_id: int) -> None:
    count, after = 0, 0
    while rows := await desk.store.list_records(
        GlossaryEntry, where={"site_id": site_id}, after=after, limit=_PAGE
    ):
        count, after = count + len(rows), rows[-1].id
    if count >= ENTRIES_MAX:
        raise Conflict(f"There are {ENTRIES_MAX} corrections already.")


async def _delete(
    desk: "Desk", principal: Principal, params: DeleteGlossary
) -> GoneGlossary:
    async with desk.settling:
        entry = await desk.store.find_record(GlossaryEntry, params.entry)
        if entry is None or not principal.serves(entry.site_id):
            raise NotFound
        if not _may_delete(principal, entry):
            raise NotFound
        await desk.store.delete_records(GlossaryEntry, [entry.id])
        await note(desk, principal, "glossary.delete", f"glossary {entry.id}", {})
    return GoneGlossary(entry=entry.id)


METHODS: Methods = {
    "glossary.list": Method(
        params=ListGlossary,
        run=_list,
        result=SomeGlossary,
        http="GET /glossary",
        scope="settings:read",
    ),
    "glossary.set": Method(
        params=SetGlossary,
        run=_set,
        result=OneGlossary,
        http="POST /glossary",
        scope="settings:write",
    ),
    "glossary.delete": Method(
        params=DeleteGlossary,
        run=_delete,
        result=GoneGlossary,
        http="DELETE /glossary/{entry}",
        scope="settings:write",
    ),
}
