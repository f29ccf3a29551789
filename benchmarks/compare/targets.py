"""What is compared: each a real server on this machine, that people talk through."""

import importlib.util
import os
import sqlite3
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from benchmarks.compare.load import Plan
from benchmarks.crowd import CLIENTS_PER_ADDRESS
from benchmarks.databases import PrivateServer
from benchmarks.ports import HOST, free_port
from benchmarks.target import Kefu, Process


class TargetMissingError(Exception):
    """A target is not installed; the text says what to install."""


class Place:
    """Where a target stores: an empty database of its own."""

    def __init__(self, home: Path, server: PrivateServer | None, name: str) -> None:
        """Make the database; without a server it is a file."""
        self.home = home
        self.server = server
        self.name = name
        self.path = home / "messages.db"
        if server is not None:
            server.create(name)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of it."""
        if self.server is not None:
            return self.server.url(self.name)
        return f"sqlite+aiosqlite:///{self.path}"

    def count(self, query: str) -> int:
        """Return the number that a query finds."""
        if self.server is not None:
            return int(self.server.run_sql(f"{query};", self.name).strip())
        with sqlite3.connect(self.path) as connection:
            return int(connection.execute(query).fetchone()[0])

    def drop(self) -> None:
        """Remove it."""
        if self.server is not None:
            self.server.drop(self.name)


class Target(ABC):
    """One server, started for one window."""

    name: ClassVar[str]
    dialect: ClassVar[str]
    stores: ClassVar[bool] = True
    ways_back: ClassVar[tuple[bool, ...]] = (True,)
    """Whether who comes back asks for what was missed; both, where it is a choice."""

    def __init__(self, place: Place) -> None:
        """Prepare all that must be there before the server starts."""
        self.place = place

    @classmethod  # noqa: B027  # kefu itself is always there.
    def check(cls) -> None:
        """Raise `TargetMissingError` where it is not installed."""

    @property
    @abstractmethod
    def process(self) -> Process:
        """The server."""

    @abstractmethod
    def plan(self, visitors: int, agents: int) -> Plan:
        """Return what the load needs to know; the server runs."""

    @abstractmethod
    def stored(self) -> int:
        """Return how many messages of people are in the database."""

    def addresses(self, people: int) -> list[str]:
        """Return addresses of this machine for so many people."""
        return [f"127.0.0.{2 + n}" for n in range(1 + people // CLIENTS_PER_ADDRESS)]


class KefuTarget(Target):
    """kefu as it is installed; only the pace of one connection is raised."""

    name, dialect = "kefu", "kefu"

    def __init__(self, place: Place) -> None:
        """Create the tables, a site and the agents."""
        super().__init__(place)
        self._kefu = Kefu(place.home, database_url=place.url)

    @property
    def process(self) -> Process:
        return self._kefu

    def plan(self, visitors: int, agents: int) -> Plan:
        logins = self._kefu.add_agents(agents)
        return Plan(
            dialect=self.dialect,
            url=self._kefu.url("websocket"),
            visitors={f"v{n}": self._kefu.visitor_token() for n in range(visitors)},
            agents={login: self._kefu.agent_token(login) for login in logins},
            addresses=self.addresses(visitors + agents),
        )

    def stored(self) -> int:
        return self.place.count("SELECT COUNT(*) FROM message WHERE kind = 'text'")


class SocketIoTarget(Target):
    """python-socketio; each message is inserted and committed before its answer."""

    name, dialect = "socketio", "socketio"
    ways_back: ClassVar[tuple[bool, ...]] = (False, True)

    def __init__(self, place: Place) -> None:
        """Prepare; the server itself makes its table."""
        super().__init__(place)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.compare.socketio_server"]
        command += [str(port), *([place.url] if self.stores else [])]
        log = place.home / "server.log"
        self._process = Process(command, port, log, dict(os.environ))

    @classmethod
    def check(cls) -> None:
        if importlib.util.find_spec("socketio") is None:
            raise TargetMissingError("pip install python-socketio")

    @property
    def process(self) -> Process:
        return self._process

    def plan(self, visitors: int, agents: int) -> Plan:
        return Plan(
            dialect=self.dialect,
            url=f"ws://{HOST}:{self._process.port}/socket.io/?EIO=4&transport=websocket",
            visitors={f"v{n}": "" for n in range(visitors)},
            agents={f"a{n}": "" for n in range(agents)},
            addresses=self.addresses(visitors + agents),
        )

    def stored(self) -> int:
        return self.place.count("SELECT COUNT(*) FROM messages")


class UnstoredTarget(SocketIoTarget):
    """python-socketio, storing nothing."""

    name, stores, ways_back = "socketio-unstored", False, (False,)

    def stored(self) -> int:
        return 0
