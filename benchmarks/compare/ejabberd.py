"""ejabberd with its message archive, run privately: nothing of the system's is touched.

No distribution (`nonode@nohost`), so no port mapper; configuration, Mnesia, log and
database are in a folder of its own. Rooms are archived in SQL before their messages go
out. Busy waiting of its schedulers is switched off, since it would be counted as work;
its shapers are too. SQLite's file is in WAL mode, as kefu's is.
"""

import os
import shutil
import sqlite3
from pathlib import Path

from benchmarks.compare.load import Plan
from benchmarks.compare.targets import Place, Target, TargetMissingError
from benchmarks.databases import PASSWORD as DATABASE_PASSWORD
from benchmarks.ports import HOST, free_port
from benchmarks.target import Process

PACKAGES = "ejabberd erlang-p1-mysql erlang-p1-sqlite3"
PASSWORD = "not-a-secret"
_APPLICATION = "lib/*-linux-gnu*/ejabberd-*"
"""Where Debian has it, below `/usr`: beside it are libraries that are not Erlang's."""

_CONFIGURATION = """\
hosts: [localhost]
loglevel: warning
auth_method: [sql]
auth_password_format: plain
{sql}
listen:
  - port: {port}
    ip: "{host}"
    module: ejabberd_http
    request_handlers:
      /ws: ejabberd_http_ws
shaper_rules:
  max_user_sessions: 10
modules:
  mod_mam:
    db_type: sql
    default: always
    clear_archive_on_room_destroy: false
  mod_muc:
    db_type: mnesia
    history_size: 0
    default_room_options:
      mam: true
      persistent: true
  mod_stream_mgmt:
    resume_timeout: 60
"""


class EjabberdTarget(Target):
    """ejabberd; a room of two for each conversation."""

    name, dialect = "ejabberd", "xmpp"

    def __init__(self, place: Place) -> None:
        """Write its configuration, make its tables and the accounts' table."""
        super().__init__(place)
        home, port = place.home, free_port()
        self._make_tables()
        configuration = home / "ejabberd.yml"
        configuration.write_text(
            _CONFIGURATION.format(host=HOST, port=port, sql=self._sql())
        )
        environ = dict(os.environ) | {
            "EJABBERD_CONFIG_PATH": str(configuration),
            "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_LIBS": ":".join(_library_folders()),
            "HOME": str(home),
        }
        command = [
            "erl", "-noinput", "+K", "true", "+P", "250000",
            "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
            "-mnesia", "dir", f'"{home / "mnesia"}"', "-s", "ejabberd",
        ]  # fmt: skip
        self._process = Process(command, port, home / "server.log", environ)

    @classmethod
    def check(cls) -> None:
        if shutil.which("erl") is None or not _schema("lite"):
            raise TargetMissingError(f"apt-get install {PACKAGES}")

    @property
    def process(self) -> Process:
        return self._process

    def plan(self, visitors: int, agents: int) -> Plan:
        names = [f"v{n}" for n in range(visitors)], [f"a{n}" for n in range(agents)]
        self._add_accounts([*names[0], *names[1]])
        return Plan(
            dialect=self.dialect,
            url=f"ws://{HOST}:{self._process.port}/ws",
            visitors=dict.fromkeys(names[0], PASSWORD),
            agents=dict.fromkeys(names[1], PASSWORD),
            addresses=self.addresses(visitors + agents),
        )

    def stored(self) -> int:
        return self.place.count("SELECT COUNT(*) FROM archive")

    def _sql(self) -> str:
        server = self.place.server
        if server is None:
            return f'sql_type: sqlite\nsql_database: "{self.place.path}"'
        return (
            f"sql_type: mysql\nsql_server: {HOST}\nsql_port: {server.port}\n"
            f"sql_database: {self.place.name}\nsql_username: kefu\n"
            f"sql_password: {DATABASE_PASSWORD}"
        )

    def _make_tables(self) -> None:
        if self.place.server is not None:
            script = _schema("mysql")
            self.place.server.run_sql(script, self.place.name)
            return
        with sqlite3.connect(self.place.path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_schema("lite"))

    def _add_accounts(self, names: list[str]) -> None:
        values = ", ".join(f"('{name}', '{PASSWORD}')" for name in names)
        # The names are ours: a letter and a number.
        statement = f"INSERT INTO users (username, password) VALUES {values}"  # noqa: S608
        if self.place.server is not None:
            self.place.server.run_sql(f"{statement};", self.place.name)
            return
        with sqlite3.connect(self.place.path) as connection:
            connection.execute(statement)


def _schema(kind: str) -> str:
    """Return the package's own script of tables; empty where it is not installed."""
    for path in Path("/usr/share/ejabberd/sql").glob(f"{kind}.sql*"):
        return path.read_text("utf-8")
    return ""


def _library_folders() -> list[str]:
    return [str(folder.parent) for folder in Path("/usr").glob(_APPLICATION)]
