"""What was made of a message goes with it."""

import pytest

from kefu_core.hub.derived import append_derived
from kefu_core.model import Draft, MessageKind
from kefu_core.types import Seq
from tests.core.hub.test_hub import A1, Observer
from tests.core.hub.world import world

pytestmark = pytest.mark.anyio


async def test_what_is_made_of_an_erased_message_goes_with_it() -> None:
    async with world() as w:
        w.hub.observers.append(observer := Observer())
        conversation = await w.conversation()
        await w.append(conversation, "m1", "m2")
        await w.store.erase_conversation(conversation, limit=1)
        made = [
            await append_derived(
                w.hub,
                Draft(
                    conversation=conversation,
                    sender=A1,
                    key=f"of {ref}",
                    kind=MessageKind.EDIT,
                    body="made",
                    ref=Seq(ref),
                ),
            )
            for ref in (1, 2)
        ]
        assert [each is not None for each in made] == [False, True]
        log = await w.store.history(conversation)
        assert [m.body for m in log] == ["", "m2", "", "made"]
        assert observer.erasures == 1
