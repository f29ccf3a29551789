"""Accounts over calls: who may, the last admin, what is written down."""

from typing import Any

import pytest

from kefu_core.protocol import frames as f
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio


async def call(w: World, who: str, method: str, **params: Any) -> Any:
    """Return a call's result, or the code it was refused with."""
    wire = await w.live(who)
    (answer,) = await wire.answers(f.Call(id="i", method=method, params=params))
    wire.cut()
    return answer.result if isinstance(answer, f.Reply) else str(answer.code)


async def test_the_last_admin_can_neither_leave_nor_give_up_the_right() -> None:
    async with world() as w:
        assert await call(w, "a2", "agent.deactivate", agent=2) == "conflict"
        assert await call(w, "a2", "agent.put", agent=2, role="agent") == "conflict"
        made = await call(w, "a2", "agent.put", agent=1, role="admin")
        assert made["agent"]["role"] == "admin"
        gone = await call(w, "a2", "agent.deactivate", agent=2)
        assert gone["agent"]["is_active"] is False


async def test_an_account_is_made_with_a_password_that_nobody_is_shown() -> None:
    async with world() as w:

        async def hash_password(password: str, login: str) -> str:
            return f"canary-{login}-{password}"

        w.desk.hash_password = hash_password
        asked = {"login": "bo", "password": "canary", "name": "Bo", "sites": [1, 1]}
        made = await call(w, "a2", "agent.put", **asked)
        assert made["agent"]["sites"] == [1]
        assert "canary" not in str(made)
        again = await call(w, "a2", "agent.put", **(asked | {"login": "BO"}))
        assert again == "conflict"
        number = int(made["agent"]["id"][1:])
        agent = await w.store.find_agent(agent_id=number)
        assert agent is not None
        assert agent.password_hash == "canary-bo-canary"
        # Whoever has set it knows it: it is good for choosing another only.
        assert agent.is_one_time
        told = await call(w, "a2", "audit.list", action="agent.put")
        (entry,) = told["rows"]
        assert (entry["who"], entry["target"]) == ("a2", f"agent {number} bo")
        assert "password" in entry["data"]["changed"]
        assert "canary" not in str(told)


async def test_a_password_set_for_somebody_is_good_once_and_not_for_oneself() -> None:
    async with world() as w:

        async def hash_password(password: str, login: str) -> str:
            return f"of {login}"

        w.desk.hash_password = hash_password
        before = await w.store.find_agent(agent_id=1)
        assert before is not None
        assert not before.is_one_time
        await call(w, "a2", "agent.put", agent=1, password="x")
        after = await w.store.find_agent(agent_id=1)
        assert after is not None
        assert after.is_one_time
        # Whoever finds a console open does not take the account over.
        assert await call(w, "a2", "agent.put", agent=2, password="x") == "bad_request"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x"},
        {"login": "a b", "password": "x"},
        {"agent": 1, "language": "English please"},
        {"agent": 1, "login": "other"},
        {"agent": 1, "name": "\u202e\u2028"},
        {"agent": 1, "name": " "},
        {"agent": 1, "sites": [99]},
        {"agent": 1, "email": "x"},
        {"agent": 1, "role": "visitor"},
        {"agent": 1, "capacity": -1},
    ],
)
async def test_what_is_no_account_is_refused(wrong: dict[str, Any]) -> None:
    async with world() as w:
        assert await call(w, "a2", "agent.put", **wrong) == "bad_request"


async def test_agents_see_names_and_nothing_else_of_each_other() -> None:
    async with world() as w:
        seen = await call(w, "a1", "agents.list")
        assert [row["name"] for row in seen["agents"]] == ["name of a1", "name of a2"]
        for row in seen["agents"]:
            assert (row["login"], row["role"], row["email"]) == ("", "", "")


async def test_agents_say_what_they_read_and_admins_see_and_change_it() -> None:
    async with world() as w:
        nothing = await call(w, "a1", "account.put")
        assert nothing["language"] == ""
        mine = await call(w, "a1", "account.put", language=" pt_br")
        assert mine == {"id": "a1", "name": nothing["name"], "language": "pt-BR"}
        # Whatever an admin changes, what is left out stays.
        await call(w, "a2", "agent.put", agent=1, capacity=3)
        (row,) = [
            each
            for each in (await call(w, "a2", "agents.list"))["agents"]
            if each["id"] == "a1"
        ]
        assert (row["language"], row["capacity"]) == ("pt-BR", 3)
        # Every console of its own, and its colleagues, hear of it.
        assert (w.desk.hub.lists.topic("agents").rows[1])["language"] == "pt-BR"
        set_by_admin = await call(w, "a2", "agent.put", agent=1, language="")
        assert (w.desk.hub.lists.topic("agents").rows[1])["language"] == ""
        assert set_by_admin["agent"]["language"] == ""
        assert await call(w, "a1", "account.put", language="x y") == "bad_request"
        assert await call(w, "v1", "account.put", language="en") == "not_found"
        told = await call(w, "a1", "agents.list")
        assert all(each["language"] == "" for each in told["agents"])
