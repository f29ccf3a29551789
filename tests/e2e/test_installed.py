"""The wheel on a bare machine: set up, talked through, backed up, lost, and back."""

import os
import shutil
import ssl
from pathlib import Path

import httpx
import pytest

from tests.e2e.installed import Debian, Installation, Venv, build_wheel
from tests.e2e.people import AgentPerson, Browsers, Person, Visitor
from tests.faults.nginx import needs_nginx

pytestmark = [
    pytest.mark.browser,
    needs_nginx,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]
BARE_ROOT = os.environ.get("KEFU_BARE_ROOT", "")


def test_what_kefu_init_made_serves_loses_everything_and_comes_back(
    tmp_path: Path, browsers: Browsers
) -> None:
    machine = (
        Debian(Path(BARE_ROOT)) if BARE_ROOT else Venv(tmp_path, build_wheel(tmp_path))
    )
    with Installation(machine) as here:
        here.set_up()
        here.serve()
        here.proxy()
        trusted = ssl.create_default_context(cafile=str(machine.home / "chain.pem"))
        assert httpx.get(f"{here.url}/readyz", verify=trusted).status_code == 200

        # The browser does not know who has made the certificate.
        visiting = browsers.context(ignore_https_errors=True)
        visitor = Visitor(here, visiting).open().live()
        visitor.write("q1", "q2")
        agent = AgentPerson(here, browsers.context(ignore_https_errors=True))
        agent.open_first("queue")
        agent.sees("q2")
        agent.write("a1")
        _all_stored(3, visitor, agent, "websocket")

        here.refuse_websockets()
        _all_stored(3, visitor, agent, "longpoll")
        visitor.write("q3")
        agent.write("a2")
        _all_stored(5, visitor, agent, "longpoll")
        before = _numbered(visitor)

        backup = str(here.path(machine.backup))
        here.kefu("backup", backup, "--with-secrets")
        here.stop("kefu")
        machine.lose_data()
        here.kefu("restore", backup)
        here.serve()

        visitor.reload()
        _all_stored(5, visitor.live(), agent, "longpoll")
        assert _numbered(visitor) == before
        later = AgentPerson(here, browsers.context(ignore_https_errors=True))
        later.open_first()
        later.sees_all_stored(5)
        assert later.texts() == visitor.texts()
        visitor.write("q4")
        later.sees("q4")


def _numbered(person: Person) -> list[tuple[str, str]]:
    # Without how far somebody has read, which is kept from time to time only.
    return [(text, seq) for text, _, seq in person.shown()]


def _all_stored(
    count: int, visitor: Visitor, agent: AgentPerson, transport: str
) -> None:
    people: tuple[Person, ...] = (visitor, agent)
    visitor.is_on(transport)
    agent.is_on(transport)
    for person in people:
        person.sees_all_stored(count)
    assert visitor.texts() == agent.texts()
