"""Opening a conversation: the visitor's newest, or a new one, and what is asked first.

A site may ask who somebody is and what it is about before the first conversation. What
is required is required here, whatever a page shows; what was answered fills in the
visitor's profile and never replaces what is known.
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.conversations import (
    Line,
    OwnConversation,
    require_team,
    write_decided,
)
from kefu_core.desk.letters import site_of
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.profiles import (
    EMAIL_CHARS,
    NAME_CHARS,
    PHONE_CHARS,
    change_profile,
    check_fact,
)
from kefu_core.desk.reading import Tag, check_tag
from kefu_core.desk.rows import visitors_row
from kefu_core.desk.visiting import QuotedWord
from kefu_core.desk.visits import Visit
from kefu_core.errors import Invalid, NotFound, TooMany
from kefu_core.ids import visitor_participant
from kefu_core.languages import TAG_MAX, language_of, normal_tag
from kefu_core.model import (
    Conversation,
    ConversationStatus,
    MessageKind,
    Person,
    Principal,
    Role,
)
from kefu_core.records import Team, VisitorProfile
from kefu_core.site import Asked, Form, Talk

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

TOKEN_CHARS = 8_000
"""An invitation's text stands in its token, and six characters may be one of it."""
_TRIES = 5
LANGUAGE_CHARS = 16
"""Of a profile's."""


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the visitor says it is."""

    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] = ""
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_CHARS)] = ""
    phone: Annotated[str, msgspec.Meta(max_length=PHONE_CHARS)] = ""


class OpenConversation(Params, frozen=True, kw_only=True):
    """`conversation.open`: the visitor's newest conversation, or a new one.

    With a team it waits for that team (department), unless somebody is at it already.
    """

    team: Id | None = None
    answers: Answers = Answers()
    """To what the site asks before the first conversation."""
    invitation: Annotated[str, msgspec.Meta(max_length=TOKEN_CHARS)] = ""
    """The token that came with an agent's invitation; one that is not good is none."""
    language: Annotated[str, msgspec.Meta(max_length=TAG_MAX)] = ""
    """What the visitor reads, such as `pt-BR`; left out: what its page tells."""
    chosen_language: Tag = ""
    """What it has chosen before there was a conversation to say it in."""


async def offered(store: Store, talk: Talk) -> list[Team]:
    """Return the departments that a site's visitors may choose, in the site's order."""
    if not talk.departments:
        return []
    teams = await store.list_records(Team, after=0, limit=PAGE_MAX)
    known = {team.id: team for team in teams}
    return [known[team] for team in talk.departments if team in known]


def asks_anything(form: Form, teams: list[Team]) -> bool:
    """Whether a form stands before the first conversation."""
    asked = (form.name, form.email, form.phone, form.question)
    has_choice = bool(teams) and form.department is not Asked.NO
    return has_choice or any(each is not Asked.NO for each in asked)


async def _open(desk: "Desk", principal: Principal, params: Any) -> OwnConversation:
    answers = {
        name: check_fact(name, getattr(params.answers, name))
        for name in params.answers.__struct_fields__
    }
    row = await _newest(desk, principal)
    site = await site_of(desk, principal.site_id)
    talk = site.settings.talk if site is not None else Talk()
    if params.team is not None:
        await require_team(desk, params.team)
        if talk.departments and params.team not in talk.departments:
            raise NotFound("There is no such team.")
    if row is None:
        await _check_form(desk, principal, talk, params.team, answers)
        row = await _open_new(desk, principal)
    visit = _visit(desk, principal)
    language = params.language or (visit.language if visit is not None else "")
    chosen = check_tag(params.chosen_language)
    await _keep(desk, principal, answers, _short_tag(language), chosen)
    # A word of one's own comes in the place of the site's greeting.
    word = _word(desk, principal, params.invitation)
    row = await desk.automatic.quote(row, word)
    row = await desk.automatic.greet(row)
    if params.team is not None:
        row = await _turn_to(desk, principal, row, params.team)
    desk.inbox.conversation_opened(row)
    # Other tabs of this visitor learn of the conversation and follow it.
    desk.hub.announce_head(
        principal.participant, row.id, row.last_seq, site_id=row.site_id
    )
    return OwnConversation(conversation=visitors_row(row))


def _word(desk: "Desk", principal: Principal, token: str) -> QuotedWord | None:
    """Return what an agent invited a visitor with, where it was shown that.

    The node that its page reports to knows; any other one has the page's token.
    """
    visit = _visit(desk, principal)
    if visit is not None and (visit.word is not None or visit.has_refused):
        return visit.word
    word = desk.read_invitation(token) if token and desk.read_invitation else None
    if word is None or not principal.owns(visitor_participant(word.visitor)):
        return None
    return word


def _visit(desk: "Desk", principal: Principal) -> Visit | None:
    """Return where a visitor is now, under any of its numbers."""
    visits = [desk.visits.find(int(name[1:])) for name in principal.numbers]
    return next((visit for visit in visits if visit is not None), None)


def _short_tag(tag: str) -> str:
    """Return a tag that a profile has room for; nothing for what is none."""
    tag = normal_tag(tag)
    return tag if len(tag) <= LANGUAGE_CHARS else language_of(tag)


async def _turn_to(
    desk: "Desk", principal: Principal, row: Conversation, team: int
) -> Conversation:
    """Let a conversation wait for a team, unless somebody answers it."""

    def decide(now: Conversation) -> Line | None:
        is_so = now.team_id == team and now.status is ConversationStatus.QUEUED
        if is_so or now.status is ConversationStatus.ACTIVE:
            return None
        return Line(kind=MessageKind.ASSIGNMENT, data={"assignee": None, "team": team})

    async with desk.assigning:
        return await write_decided(desk, principal, row.id, decide)


async def _newest(desk: "Desk", principal: Principal) -> Conversation | None:
    rows = await desk.conversations(principal)
    return rows[0] if rows else None


async def _open_new(desk: "Desk", principal: Principal) -> Conversation:
    # Two tabs that open at once must not both be charged for the same conversation.
    async with desk.opening:
        row = await _newest(desk, principal)
        if row is not None:
            return row
        wait_s = desk.openings.take(principal.participant)
        if not wait_s and principal.address:
            wait_s = desk.openings_of_address.take(principal.address)
        if wait_s:
            raise TooMany("You opened too many conversations.", retry_after_s=wait_s)
        visitor = Person(
            id=principal.participant, name=principal.name, role=Role.VISITOR
        )
        return await desk.store.open_conversation(principal.site_id, visitor)


async def _check_form(
    desk: "Desk",
    principal: Principal,
    talk: Talk,
    team: int | None,
    answers: dict[str, str],
) -> None:
    """Raise `Invalid` where something that is required was not answered."""
    form = talk.form
    profile = await _profile(desk, principal)
    for name, text in answers.items():
        is_known = bool(text or (profile is not None and getattr(profile, name)))
        if getattr(form, name) is Asked.MUST and not is_known:
            raise Invalid(f"conversation.open: this site asks for the {name} first.")
    is_chosen = team is not None or form.department is not Asked.MUST
    if not is_chosen and await offered(desk.store, talk):
        raise Invalid("conversation.open: this site asks for a department first.")


async def _profile(desk: "Desk", principal: Principal) -> VisitorProfile | None:
    found = await desk.store.find_record(VisitorProfile, int(principal.participant[1:]))
    return found if found is not None and found.site_id == principal.site_id else None


async def _keep(
    desk: "Desk",
    principal: Principal,
    answers: dict[str, str],
    language: str,
    chosen: str,
) -> None:
    """Fill in what is not known of a visitor, and the languages it has now."""
    for _ in range(_TRIES if language or chosen or any(answers.values()) else 0):
        profile = await _profile(desk, principal)
        if profile is None:
            return
        new = {k: text for k, text in answers.items() if text}
        changes = {k: text for k, text in new.items() if not getattr(profile, k)}
        if language and profile.language != language:
            changes["language"] = language
        if chosen and profile.chosen_language != chosen:
            changes["chosen_language"] = chosen
        if not changes or await change_profile(desk, profile, changes) is not None:
            return


METHODS: Methods = {
    "conversation.open": Method(
        params=OpenConversation,
        run=_open,
        result=OwnConversation,
        http="POST /conversations",
    ),
}
