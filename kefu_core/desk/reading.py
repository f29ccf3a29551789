"""Which language people read and write: agents say it of themselves, visitors choose.

It wins over what sites and browsers say, and what texts are taken for. What was missed
meanwhile follows in it (`kefu_core.followers.translating`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.desk.profiles import change_profile
from kefu_core.errors import Busy, Invalid, NotFound, TooMany
from kefu_core.languages import TAG_MAX, normal_tag
from kefu_core.model import Conversation, ConversationStatus, Principal
from kefu_core.records import VisitorProfile
from kefu_core.types import ParticipantId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

OPEN_MAX = 1_000
"""Open conversations among which an agent's own are looked for."""
_TRIES = 5
Tag = Annotated[str, msgspec.Meta(max_length=TAG_MAX)]


class PutAccount(Params, frozen=True, kw_only=True):
    """`account.put`: change one's own account; what is left out stays as it is."""

    language: Tag | None = None
    """What one reads and writes, such as `en`; empty: what one's sites say."""


class OwnAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says of itself."""

    id: ParticipantId
    name: str
    language: str


class ChooseLanguage(Params, frozen=True, kw_only=True):
    """`visitor.language`: choose what one reads and writes."""

    language: Tag
    """A tag such as `pt-BR`; empty: what one's browser and texts say."""


class ChosenLanguage(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen, and whether it is kept: only of who has opened a conversation.

    Before that it goes with `conversation.open`.
    """

    language: str
    is_kept: bool


def check_tag(text: str) -> str:
    """Return a language as it is kept; empty for none. Raises `Invalid`."""
    tag = normal_tag(text)
    if text.strip() and not tag:
        raise Invalid("A language is a tag, such as pt-BR.")
    return tag


async def _put_account(
    desk: "Desk", principal: Principal, params: PutAccount
) -> OwnAccount:
    # An admin may be changing the same account.
    async with desk.settling:
        number = int(principal.participant[1:])
        agent = await desk.store.find_agent(agent_id=number)
        if agent is None:
            raise NotFound
        if params.language is not None:
            tag = check_tag(params.language)
            agent = msgspec.structs.replace(agent, language=tag)
            await desk.store.put_agent(agent)
            await reads_otherwise(desk, principal.participant)
    return OwnAccount(
        id=principal.participant, name=agent.name, language=agent.language
    )


async def _choose(
    desk: "Desk", principal: Principal, params: ChooseLanguage
) -> ChosenLanguage:
    tag = check_tag(params.language)
    number = int(principal.participant[1:])
    for is_first in (True, *[False] * _TRIES):
        profile = await desk.store.find_record(VisitorProfile, number)
        if profile is None or profile.site_id != principal.site_id:
            return ChosenLanguage(language=tag, is_kept=False)
        if profile.chosen_language == tag:
            return ChosenLanguage(language=tag, is_kept=True)
        wait_s = desk.introductions.take(principal.participant) if is_first else 0.0
        if wait_s:
            raise TooMany("You chose another language too often.", retry_after_s=wait_s)
        if await change_profile(desk, profile, {"chosen_language": tag}) is not None:
            _look_again(desk, await desk.conversations(principal))
            return ChosenLanguage(language=tag, is_kept=True)
    raise Busy("What is known of you changes all the time.", retry_after_s=1.0)


async def reads_otherwise(desk: "Desk", agent: ParticipantId) -> None:
    """Let what was said where an agent answers follow in its new language.

    All its consoles hear of it. Raises `StoreError`.
    """
    desk.staffing.look_again()
    await desk.presence.tell()
    rows = await desk.store.list_open_conversations(limit=OPEN_MAX)
    _look_again(desk, [row for row in rows if row.assignee == agent])


def _look_again(desk: "Desk", rows: Sequence[Conversation]) -> None:
    if desk.interpreter is not None:
        for row in rows:
            if row.status is not ConversationStatus.CLOSED:
                desk.interpreter.look_again(row.id)


METHODS: Methods = {
    "account.put": Method(
        params=PutAccount,
        run=_put_account,
        result=OwnAccount,
        http="PUT /account",
        scope="presence:write",
    ),
    "visitor.language": Method(
        params=ChooseLanguage,
        run=_choose,
        result=ChosenLanguage,
        http="POST /visitors/language",
    ),
}
