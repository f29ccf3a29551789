"""What is another's and what does not exist get one answer, whatever is asked with."""

from typing import Any

import msgspec
import pytest

from kefu_core.desk.access import RIGHTS
from kefu_core.desk.calls import CALLS
from kefu_core.errors import RefusedError
from kefu_core.model import MessageKind, Person, Principal, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.records import Attachment, AttachmentStatus
from kefu_core.types import ConversationId, ParticipantId
from tests.core.desk.world import PRINCIPALS, World, world
from tests.security.test_access_matrix import LEFT, PARAMS
from tests.security.test_allow_list import recorded
from tests.security.test_hidden_fields import fill

pytestmark = pytest.mark.anyio

ABSENT = 9_007_199_254
MINE = {
    # What each method needs besides, so that only the id decides.
    "agent.put": {"name": "x"},
    "conversation.label": {"labels": ["x"]},
    "conversation.rate": {"score": 5},
    "message.edit": {"seq": 1, "key": "k", "body": "x"},
    "message.recall": {"seq": 1},
    "message.send": {"key": "k", "body": "x"},
    "offline.answer_by_mail": {"text": "x", "key": "k" * 8},
    "message.preview": {"text": "x"},
    "visit.invite": {"text": "x"},
    "visitor.put": {"revision": 0, "name": "x"},
}
NO_IDS = {"revision", "seq", "ref", "after", "before", "expires_at"}
NAMES_ONLY = {
    # Everybody who answers may choose any team, and these name nobody.
    ("conversation.open", "team"),
    ("conversation.assign", "team"),
    ("reply.put", "team"),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _id_fields(method: str) -> list[str]:
    """Return the parameters that name something by its number."""
    fields = msgspec.structs.fields(CALLS[method].params)
    schema = msgspec.json.schema(CALLS[method].params)
    properties = next(iter(schema["$defs"].values()))["properties"]
    found = []
    for field in fields:
        told = str(properties[field.encode_name])
        if "9007199254740991" in told and field.name not in NO_IDS:
            found.append(field.name)
    return found


async def _told(w: World, who: Principal, method: str, params: dict[str, Any]) -> Any:
    try:
        return await w.desk.call(who, method, params)
    except RefusedError as error:
        return error.code, str(error), error.retry_after_s


ASKED = [
    (who, method)
    for who, role in (("v2", Role.VISITOR), ("v1@2", Role.VISITOR), ("a3", Role.AGENT))
    for method in sorted(RIGHTS[role].calls)
    if _id_fields(method)
]


@pytest.mark.parametrize(("who", "method"), ASKED)
async def test_what_is_anothers_is_told_as_what_is_not_there(
    who: str, method: str
) -> None:
    async with world() as w:
        conversation = await fill(w)
        own = Person(id=ParticipantId("v55"), name="", role=Role.VISITOR)
        mine = (await w.store.open_conversation(2, own)).id
        for field in _id_fields(method):
            if (method, field) in NAMES_ONLY:
                continue
            # All ids that there are on the first site, whatever they are of.
            there = [conversation, LEFT, 1, 2, 5, 6, 9]
            if PRINCIPALS[who].is_agent and field == "site":
                there = [1]
            if field == "agent":
                there = [1]
            params = {**PARAMS.get(method, {}), **MINE.get(method, {})}
            if "conversation" in _id_fields(method):
                params["conversation"] = mine
            asked = PRINCIPALS[who]
            absent = await _told(w, asked, method, {**params, field: ABSENT})
            for number in there:
                got = await _told(w, asked, method, {**params, field: number})
                assert got == absent, (field, number)


@pytest.mark.parametrize("who", ["v2", "v1@2"])
async def test_no_number_tells_a_stranger_whether_an_agent_has_it(who: str) -> None:
    async with world() as w:
        await w.say(await w.conversation("v1"), "a1", "hello")
        await w.say(await w.conversation("v2"), "a1", "x", MessageKind.NOTE)
        params = {"ids": [f"a{number}" for number in range(1, 101)]}
        told = await _told(w, PRINCIPALS[who], "people.get", params)
        assert told == {"people": []}
        known = await _told(w, PRINCIPALS["v1"], "people.get", params)
        assert [person["id"] for person in known["people"]] == ["a1"]


async def test_nine_thousand_numbers_give_one_answer() -> None:
    async with world() as w:
        conversation = await fill(w)
        for who in ("v2", "v1@2", "a3"):
            wire, recorder = await recorded(w, who, JSON)
            near = range(conversation - 1_500, conversation + 1_500)
            for at in range(0, len(near), 10):
                await wire.answers(
                    *(
                        f.Fetch(id="x", conversation=ConversationId(number))
                        for number in near[at : at + 10]
                        if number > 0
                    )
                )
            said = {
                msgspec.json.encode({**frame, "conversation": None})
                for frame in recorder.frames()
                if frame.get("frame") == "fetch"
            }
            assert len(said) == 1, said
            wire.cut()


async def test_a_file_of_others_is_told_as_one_that_is_not_there() -> None:
    async with world() as w:
        conversation = await fill(w)
        await w.store.put_records(
            Attachment(
                id=LEFT,
                site_id=1,
                conversation_id=conversation,
                uploader=ParticipantId("v1"),
                key="k",
                name="a.txt",
                media_type="text/plain",
                size=1,
                status=AttachmentStatus.LINKED,
            )
        )
        room = w.desk.files
        if room is None:
            return
        for who in ("v2", "v1@2", "a3"):
            told = []
            for number in (LEFT, ABSENT):
                with pytest.raises(RefusedError) as caught:
                    await room.find(PRINCIPALS[who], number)
                told.append((caught.value.code, str(caught.value)))
            assert told[0] == told[1]
