"""The values that layers hand to each other."""

import inspect

import msgspec
import pytest

from kefu_core import model
from kefu_core.model import (
    INTERNAL_KINDS,
    SENDABLE_KINDS,
    Agent,
    MessageKind,
    Principal,
    Role,
)
from kefu_core.types import ParticipantId

STRUCTS = [
    struct
    for _, struct in inspect.getmembers(model, inspect.isclass)
    if issubclass(struct, msgspec.Struct) and struct is not msgspec.Struct
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_no_value_can_be_changed_in_place(struct: type[msgspec.Struct]) -> None:
    assert struct.__struct_config__.frozen


@pytest.mark.parametrize("role", list(Role))
def test_everybody_but_a_visitor_answers_visitors(role: Role) -> None:
    principal = Principal(participant=ParticipantId("x1"), role=role, site_id=1)
    assert principal.is_agent == (role is not Role.VISITOR)


def test_people_send_texts_and_notes_and_nothing_else() -> None:
    assert {MessageKind.TEXT, MessageKind.NOTE} == SENDABLE_KINDS
    internal = {MessageKind.NOTE, MessageKind.NOTE_EDIT, MessageKind.LABELS}
    assert internal == INTERNAL_KINDS
    assert MessageKind.PLACEHOLDER not in SENDABLE_KINDS


def test_an_agent_is_active_and_no_administrator_unless_said() -> None:
    agent = Agent(id=1, login="a", name="A", password_hash="h")
    assert agent.is_active
    assert agent.role is Role.AGENT
