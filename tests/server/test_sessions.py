"""How many logins one account has at once."""

import anyio
import msgspec
import pytest

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import Unauthorized
from kefu_core.limits import Limits
from kefu_core.model import Agent, AgentSession
from kefu_core.store.memory import MemoryStore
from kefu_server.auth import Authenticator
from tests.server.conftest import PASSWORD, Clock

pytestmark = pytest.mark.anyio

MOST = Limits().agent_sessions_max
PEER = PeerInfo(transport="websocket", address="192.0.2.1")


async def open_login(auth: Authenticator, login: str = "ana") -> str:
    return (await auth.login(login, PASSWORD, "192.0.2.1")).secret


async def works(auth: Authenticator, secret: str) -> bool:
    try:
        await auth.authenticate(secret, PEER)
    except Unauthorized:
        return False
    return True


async def test_one_login_too_many_ends_the_oldest_only(
    auth: Authenticator, clock: Clock
) -> None:
    secrets = []
    for _ in range(MOST):
        secrets.append(await open_login(auth))
        clock.s += 1
    oldest = await auth.authenticate(secrets[0], PEER)
    assert [await works(auth, secret) for secret in secrets] == [True] * MOST
    secrets.append(await open_login(auth))
    expected = [False] + [True] * MOST
    assert [await works(auth, secret) for secret in secrets] == expected
    # What a live connection of it is named by, so that the connection ends too.
    assert await auth.find_revoked([oldest]) == {oldest}


async def test_a_login_whose_time_is_over_takes_no_place(
    auth: Authenticator, clock: Clock, store: MemoryStore
) -> None:
    kept = await open_login(auth)
    for _ in range(MOST - 1):
        await open_login(auth)
    # All but the oldest stay unused for longer than a login may.
    for _ in range(2):
        clock.s += 7 * 3600
        assert await works(auth, kept)
    newest = await open_login(auth)
    assert await works(auth, kept)
    assert await works(auth, newest)
    assert len(await store.sessions_of_agent(7)) == 2


async def test_logins_at_the_same_moment_keep_to_the_limit(
    auth: Authenticator, store: MemoryStore
) -> None:
    for _ in range(MOST - 1):
        await open_login(auth)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(open_login, auth)
    assert len(await store.sessions_of_agent(7)) == MOST


async def test_logins_of_others_are_not_counted(
    auth: Authenticator, clock: Clock, store: MemoryStore, agent: Agent
) -> None:
    await store.put_agent(msgspec.structs.replace(agent, id=9, login="bo"))
    others = await open_login(auth, "bo")
    for _ in range(MOST + 1):
        clock.s += 1
        await open_login(auth)
    assert await works(auth, others)


async def test_a_password_changed_while_a_login_is_opened_is_not_outlived(
    auth: Authenticator,
    store: MemoryStore,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put = store.put_agent_session

    async def change_first(session: AgentSession) -> None:
        # Checked with the old password, stored after the change has ended all logins.
        await store.put_agent(msgspec.structs.replace(agent, password_hash="other"))
        await store.delete_agent_sessions(agent_id=agent.id)
        await put(session)

    monkeypatch.setattr(store, "put_agent_session", change_first)
    with pytest.raises(Unauthorized):
        await open_login(auth)
    assert await store.sessions_of_agent(agent.id) == []
