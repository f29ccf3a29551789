"""Which language people read and write: agents say it of themselves."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.methods import Method, Methods, Params
from kefu_core.errors import Invalid, NotFound
from kefu_core.languages import TAG_MAX, normal_tag
from kefu_core.model import Principal
from kefu_core.types import ParticipantId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

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
    return OwnAccount(
        id=principal.participant, name=agent.name, language=agent.language
    )


METHODS: Methods = {
    "account.put": Method(
        params=PutAccount,
        run=_put_account,
        result=OwnAccount,
        http="PUT /account",
        scope="presence:write",
    ),
}
