"""Whose turn it is, of what is known at this moment."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.desk.presence import Colleague
from kefu_core.desk.routing import able, as_read, choose, goes_back, team_of
from kefu_core.model import Agent, Conversation, ConversationStatus, Given
from kefu_core.records import AgentStatus, Team
from kefu_core.site import Routing, RoutingMethod
from kefu_core.types import ConversationId, ParticipantId, UnixMs

M = RoutingMethod
ROW = Conversation(
    id=ConversationId(1),
    site_id=1,
    visitor=ParticipantId("v1"),
    queued_at=UnixMs(1),
    waiting_since=UnixMs(1_000),
)


def colleague(number: int, **changes: Any) -> Colleague:
    account = {
        name: changes.pop(name)
        for name in ("capacity", "sites", "is_active")
        if name in changes
    }
    agent = Agent(id=number, login="l", name="n", password_hash="-", **account)
    values: dict[str, Any] = {
        "status": AgentStatus.ONLINE,
        "is_there": True,
        "lease_until": UnixMs(10_000),
        "assigned_at": UnixMs(0),
        "active": 0,
        "teams": (),
        **changes,
    }
    return Colleague(agent=agent, **values)


def test_only_who_is_there_and_free_and_of_the_site_and_team_is_able() -> None:
    fit = colleague(1, capacity=2, active=1, sites=(1,), teams=(7,))
    others = [
        colleague(2, is_active=False, teams=(7,)),
        colleague(3, is_there=False, teams=(7,)),
        colleague(4, status=AgentStatus.BUSY, teams=(7,)),
        colleague(5, status=AgentStatus.AWAY, teams=(7,)),
        colleague(6, capacity=2, active=2, teams=(7,)),
        colleague(7, sites=(2,), teams=(7,)),
        colleague(8, teams=(8,)),
    ]
    assert able(ROW, 7, [*others, fit]) == [fit]
    assert [each.agent.id for each in able(ROW, 0, [*others, fit])] == [8, 1]


def test_people_choose_themselves_where_the_method_says_so() -> None:
    assert choose(M.MANUAL, [colleague(1)]) is None
    for method in M:
        assert choose(method, []) is None


def test_one_after_the_other() -> None:
    them = [colleague(1, assigned_at=30), colleague(2, assigned_at=10, active=9)]
    assert choose(M.ROUND_ROBIN, them) is them[1]
    assert choose(M.ROUND_ROBIN, [colleague(2), colleague(1)]) == colleague(1)


def test_the_least_busy_and_of_equals_who_waited_longest() -> None:
    them = [
        colleague(1, active=1, assigned_at=20),
        colleague(2, active=1, assigned_at=10),
        colleague(3, active=2),
    ]
    assert choose(M.LEAST_BUSY, them) is them[1]


def test_who_answered_before_if_there_and_else_the_least_busy() -> None:
    them = [colleague(1), colleague(2, active=5)]
    assert choose(M.PREVIOUS_FIRST, them, ParticipantId("a2")) is them[1]
    assert choose(M.PREVIOUS_FIRST, them, ParticipantId("a9")) is them[0]
    assert choose(M.PREVIOUS_FIRST, them) is them[0]


def test_the_conversations_team_comes_before_the_sites() -> None:
    teams = [Team(id=7, name="a", agents=(1,)), Team(id=8, name="b")]
    row = Conversation(id=ROW.id, site_id=1, visitor=ROW.visitor, team_id=7)
    assert team_of(row, Routing(team_id=8), teams) == 7
    assert team_of(ROW, Routing(team_id=7), teams) == 7
    # A team that is gone, or that nobody is in, keeps nobody out.
    assert team_of(row, Routing(), []) == 0
    assert team_of(ROW, Routing(team_id=8), teams) == 0


@given(now_ms=st.integers(0, 200_000), after_s=st.integers(0, 60))
def test_a_waiting_visitor_leaves_who_is_gone_when_the_time_is_up(
    now_ms: int, after_s: int
) -> None:
    rule, gone = Routing(requeue_after_s=after_s), colleague(1, is_there=False)
    late = now_ms >= 10_000 + after_s * 1000
    assert goes_back(ROW, rule, gone, now_ms) is late
    assert not goes_back(ROW, rule, colleague(1), now_ms)
    assert not goes_back(ROW, Routing(requeue_after_s=None), gone, now_ms)
    assert goes_back(ROW, rule, None, now_ms)
    answered = Conversation(id=ROW.id, site_id=1, visitor=ROW.visitor)
    assert not goes_back(answered, rule, gone, now_ms)


def test_who_asks_later_than_the_agent_went_waits_from_then() -> None:
    gone = colleague(1, is_there=False, lease_until=UnixMs(0))
    rule = Routing(requeue_after_s=1)
    assert not goes_back(ROW, rule, gone, 1_999)
    assert goes_back(ROW, rule, gone, 2_000)


def test_a_condition_names_what_was_read() -> None:
    assert as_read(ROW, capacity=3) == Given(
        status=ConversationStatus.QUEUED, assignee=None, team_id=0, capacity=3
    )
