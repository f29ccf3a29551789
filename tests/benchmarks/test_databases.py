"""Private database servers: they start, lose nothing that was committed, and go."""

import anyio
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import MariaDb, Postgres, PrivateServer, ServerMissingError


@pytest.mark.parametrize("kind", [MariaDb, Postgres])
def test_a_private_server_survives_a_kill_and_leaves_nothing_behind(
    kind: type[PrivateServer],
) -> None:
    try:
        server = kind()
    except ServerMissingError as missing:
        pytest.skip(str(missing))
    with server:
        url = server.create("one")
        server.run_sql("CREATE TABLE t (n INT); INSERT INTO t VALUES (7);", "one")
        server.kill()
        server.start()
        assert server.run_sql("SELECT n FROM t;", "one").strip() == "7"
        assert anyio.run(_ask, url) == 7
        with server.stalled():
            states = [
                psutil.Process(thread.id).status()
                for thread in psutil.Process(server.pid).threads()
            ]
            assert set(states) == {psutil.STATUS_STOPPED}
        server.drop("one")
        pid, folder = server.pid, server.folder
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


async def _ask(url: str) -> int:
    """Ask as kefu does: over the network, with a password."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = (await connection.execute(text("SELECT n FROM t"))).scalar_one()
    await engine.dispose()
    return int(found)
