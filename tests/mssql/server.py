"""A scripted SQL Server: the real driver and the real wire, answers by rule.

It executes nothing. A rule is a pattern and answers: the first rule whose pattern is
found in a statement answers it, with each of its answers in turn and the last one for
ever. So it proves what the driver, aioodbc, the pool and kefu do with an answer, and
nothing about what SQL Server would answer.

TDS itself is the work of `pysqlbridge.tds`, a state machine without sockets; here it
gets a socket, prepared statements, transactions by name, a row's lock and Attention.
"""

import re
import select
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pysqlbridge.certificate import self_signed
from pysqlbridge.tds import connection as tds_connection
from pysqlbridge.tds.batch import parse_sql_batch
from pysqlbridge.tds.packet import PacketType
from pysqlbridge.tds.result import Bit, Column, Integer, NVarChar, col_metadata, row
from pysqlbridge.tds.rpc import ProcId, parse_rpc
from pysqlbridge.tds.token import DoneStatus, done
from pysqlbridge.tds.token import error as error_token
from pysqlbridge.tds.transaction import TransactionRequestType as Transaction
from pysqlbridge.tds.transaction import parse_transaction_request

USER = "kefu"
PASSWORD = "Not-a-secret1"
_DONE, _DONE_PROC, _DONE_IN_PROC = 0xFD, 0xFE, 0xFF
_COUNTED, _MORE, _FAILED = 0x10, 0x01, 0x02
_TRANSACTIONS = {
    Transaction.BEGIN_XACT: "BEGIN",
    Transaction.COMMIT_XACT: "COMMIT",
    Transaction.ROLLBACK_XACT: "ROLLBACK",
    Transaction.SAVE_XACT: "SAVE",
}


@dataclass
class Rows:
    """A result: names with types, and the rows."""

    columns: Sequence[tuple[str, Any]]
    rows: Sequence[Sequence[Any]]


@dataclass
class Count:
    """So many rows were written."""

    rows: int


@dataclass
class Refusal:
    """An error of SQL Server's; the driver gives it its SQLSTATE."""

    number: int
    text: str = "refused by the script"
    severity: int = 16
    state: int = 1


@dataclass
class Slow:
    """An answer that comes late, or never where Attention comes first."""

    seconds: float
    then: Any = None


@dataclass
class LockedRow:
    """An answer that waits for a row's lock, held until the transaction ends."""

    name: str
    then: Any = None


@dataclass
class Cut:
    """The connection breaks before anything is answered."""


@dataclass
class Seen:
    """One thing that a connection asked for."""

    session: int
    text: str
    values: tuple[Any, ...] = ()
    types: str = ""
    """How the driver declared the values: `@P1 bigint,@P2 nvarchar(max)`."""


Answer = Rows | Count | Refusal | Slow | LockedRow | Cut | None
Rule = tuple[re.Pattern[str], list[Any]]


def text(chars: int = 200) -> NVarChar:
    """Return the type of a column of text."""
    return NVarChar(chars)


BIGINT = Integer(8)
INT = Integer(4)
BIT = Bit()


class CutError(Exception):
    """Ends a connection's thread."""


_TYPE_COLUMNS = [
    ("TYPE_NAME", text()),
    ("DATA_TYPE", Integer(2)),
    ("PRECISION", INT),
    ("LITERAL_PREFIX", text()),
    ("LITERAL_SUFFIX", text()),
    ("CREATE_PARAMS", text()),
    *((name, Integer(2)) for name in "ABCDEF"),
    ("LOCAL_TYPE_NAME", text()),
    *((name, Integer(2)) for name in "GHIJ"),
    ("NUM_PREC_RADIX", INT),
    *((name, Integer(2)) for name in "KL"),
]
_TYPES = {
    12: ("varchar", 8000),
    -9: ("nvarchar", 4000),
    -3: ("varbinary", 8000),
    93: ("datetime2", 27),
}


def _type_info(values: Sequence[Any]) -> Rows:
    """Answer how long a type may be, as SQL Server does; pyodbc asks on connecting."""
    title, chars = _TYPES[values[0]]
    middle = (1, 0, 3, None, 0, None, title, None, None, values[0], None)
    row = (title, values[0], chars, "'", "'", "max length", *middle, None, None, 0)
    return Rows(_TYPE_COLUMNS, [row])


def _text_row(value: str) -> Rows:
    return Rows([("", text())], [[value]])


_OF_SQLALCHEMY: list[tuple[str, Any]] = [
    # FreeTDS writes its call out; Microsoft's driver gives the number as a value.
    *((rf"sp_datatype_info_100 {number},", _type_info([number])) for number in _TYPES),
    (r"sp_datatype_info", _type_info),
    (r"SERVERPROPERTY\('ProductVersion'\)", _text_row("16.0.4135.4")),
    (r"select schema_name\(\)", _text_row("dbo")),
    (r"FROM sys\.system_views", _text_row("dm_exec_sessions")),
    (r"transaction_isolation_level", _text_row("READ COMMITTED")),
    (r"test max support", _text_row("test max support")),
    (r"fn_listextendedproperty", Rows([("", INT)], [[1]])),
    (r"^\s*select 1\s*$", Rows([("", INT)], [[1]])),
]
"""What the driver and SQLAlchemy ask of every new connection."""


class _Session(tds_connection.Connection):
    """One connection: its prepared statements and the locks it holds."""

    def __init__(self, server: "ScriptedServer", sock: socket.socket, number: int):
        super().__init__(server.certificate, logins=server, database="kefu")
        self._server = server
        self._sock = sock
        self._number = number
        self._prepared: dict[int, str] = {}
        self._locks: dict[str, threading.Lock] = {}

    def release(self) -> None:
        """Let go of every row."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _step_query(self, responses: list[bytes]) -> bool:
        message = self._take_message()
        if message is None:
            return False
        if message.type is PacketType.ATTENTION:
            self._see("ATTENTION")
            self._send(responses, self._attention())
        elif message.type is PacketType.TRANSACTION_MANAGER:
            self._transact(message.payload, responses)
        elif message.type is PacketType.SQL_BATCH:
            sql = parse_sql_batch(message.payload, self._tds_version)
            self._see(sql)
            self._reply(responses, self._answer(sql, ()), is_call=False, handle=None)
        elif message.type is PacketType.RPC:
            self._call(message.payload, responses)
        else:
            raise AssertionError(f"a message of type {message.type.name}")
        return True

    def _see(
        self, sql: str, values: Sequence[Any] = (), types: str | None = None
    ) -> None:
        self._server.seen.append(Seen(self._number, sql, tuple(values), types or ""))

    def _transact(self, payload: bytes, responses: list[bytes]) -> None:
        request = parse_transaction_request(payload, self._tds_version)
        title = _TRANSACTIONS[request.kind]
        self._see(title)
        answer = self._answer(title, ())
        if isinstance(answer, Refusal):
            self._send(responses, self._refusal(answer) + self._done(_DONE, _FAILED))
            return
        if title in ("COMMIT", "ROLLBACK"):
            self.release()
        ended = done(tds_version=self._tds_version)
        self._send(responses, self._transaction_envchange(request) + ended)

    def _call(self, payload: bytes, responses: list[bytes]) -> None:
        call = parse_rpc(payload, self._tds_version)
        values = [parameter.value for parameter in call.parameters]
        handle = None
        types: Any = ""
        if call.proc_id is ProcId.EXECUTE_SQL:
            sql, types, values = str(values[0]), values[1], values[2:]
        elif call.proc_id in (ProcId.PREP_EXEC, ProcId.PREPARE):
            handle = len(self._prepared) + 1
            sql, types = str(values[2]), values[1]
            self._prepared[handle] = sql
            values = values[3:]
            if call.proc_id is ProcId.PREPARE:
                # It only names the statement; that is executed by its number later.
                self._see("PREPARE", (sql,), types)
                self._reply(responses, None, is_call=True, handle=handle)
                return
        elif call.proc_id is ProcId.EXECUTE:
            sql, values = self._prepared[int(str(values[0]))], values[1:]
        else:
            sql = f"EXEC {call.procedure}"
        self._see(sql, values, types)
        answer = self._answer(sql, values)
        self._reply(responses, answer, is_call=True, handle=handle)

    # -- answers -----------------------------------------------------------------------

    def _answer(self, sql: str, values: Sequence[Any]) -> Answer:
        answer = self._server.answer(sql, values)
        while True:
            if isinstance(answer, Slow):
                until = time.monotonic() + answer.seconds
                if self._is_attended(lambda until=until: time.monotonic() >= until):
                    return Refusal(0)
                answer = answer.then
            elif isinstance(answer, LockedRow):
                if self._is_attended(lambda name=answer.name: self._has_locked(name)):
                    return Refusal(0)
                answer = answer.then
            elif isinstance(answer, Cut):
                raise CutError
            else:
                return answer

    def _has_locked(self, name: str) -> bool:
        if name in self._locks:
            return True
        lock = self._server.lock_of(name)
        if not lock.acquire(timeout=0.01):
            return False
        self._locks[name] = lock
        return True

    def _is_attended(self, is_over: Callable[[], bool]) -> bool:
        """Wait until it is over; True if the client said Attention before."""
        while not is_over():
            if not select.select([self._sock], [], [], 0.005)[0]:
                continue
            data = self._sock.recv(65536)
            if not data:
                raise CutError
            self._buffer += data
            message = self._take_message()
            if message is not None and message.type is PacketType.ATTENTION:
                return True
        return False

    def _attention(self) -> bytes:
        status = DoneStatus.FINAL | DoneStatus.ATTENTION
        return done(status=status, tds_version=self._tds_version)

    def _reply(
        self,
        responses: list[bytes],
        answer: Answer,
        *,
        is_call: bool,
        handle: int | None,
    ) -> None:
        if isinstance(answer, Refusal) and answer.number == 0:
            self._see("ATTENTION")
            self._send(responses, self._attention())
            return
        token, more = (_DONE_IN_PROC, _MORE) if is_call else (_DONE, 0)
        out = b""
        has_failed = isinstance(answer, Refusal)
        if isinstance(answer, Rows):
            columns = [Column(name, kind) for name, kind in answer.columns]
            out += col_metadata(columns, self._tds_version)
            out += b"".join(row(columns, list(values)) for values in answer.rows)
            out += self._done(token, _COUNTED | more, len(answer.rows))
        elif isinstance(answer, Count):
            out += self._done(token, _COUNTED | more, answer.rows)
        elif isinstance(answer, Refusal):
            out += self._refusal(answer)
        if is_call:
            out += b"\x79" + struct.pack("<i", -6 if has_failed else 0)
            if handle:
                out += b"\xac\x00\x00\x00\x01" + struct.pack("<IH", 0, 0)
                out += b"\x26\x04\x04" + struct.pack("<i", handle)
            out += self._done(_DONE_PROC, _FAILED if has_failed else 0)
        elif has_failed or answer is None:
            out += self._done(_DONE, _FAILED if has_failed else 0)
        self._send(responses, out)

    def _refusal(self, answer: Refusal) -> bytes:
        return error_token(
            answer.number,
            answer.text,
            server="SCRIPT",
            severity=answer.severity,
            state=answer.state,
            tds_version=self._tds_version,
        )

    @staticmethod
    def _done(token: int, status: int, rows: int = 0) -> bytes:
        return bytes([token]) + struct.pack("<HHQ", status, 0, rows)


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        script: ScriptedServer = self.server.script  # type: ignore[attr-defined]
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(script, self.request, script.next_session())
        try:
            while data := self.request.recv(65536):
                for response in session.receive(data):
                    self.request.sendall(response)
        except (CutError, OSError):
            pass
        finally:
            session.release()
            script.closed += 1


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@dataclass
class ScriptedServer:
    """Listens on a free port of loopback, for as long as `running` lasts."""

    driver: str
    """What the URL names as the driver: a path, or a name that unixODBC knows."""
    seen: list[Seen] = field(default_factory=list)
    """All that was asked, in order."""
    logins: int = 0
    sessions: int = 0
    closed: int = 0
    """Sessions that are over."""
    configured: bool = True
    """That there are logins; the state machine asks."""

    def __post_init__(self) -> None:
        self.certificate = self_signed("localhost")
        self._rules: list[Rule] = []
        self._standard = [
            _rule(pattern, (answer,)) for pattern, answer in _OF_SQLALCHEMY
        ]
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._tcp = _TcpServer(("127.0.0.1", 0), _Handler)
        self._tcp.script = self  # type: ignore[attr-defined]
        self.port = self._tcp.server_address[1]

    def url(self, password: str = PASSWORD) -> str:
        """Return kefu's setting for this server."""
        if self.driver == "FreeTDS":
            return (
                f"mssql+aioodbc://{USER}:{password}@127.0.0.1/kefu?driver=FreeTDS"
                f"&port={self.port}&TDS_Version=7.4&ClientCharset=UTF-8"
            )
        return (
            f"mssql+aioodbc://{USER}:{password}@127.0.0.1:{self.port}/kefu"
            f"?driver={self.driver}&Encrypt=yes&TrustServerCertificate=yes"
        )

    def when(self, pattern: str, *answers: Any) -> None:
        """Answer statements that have this in them; later rules come first.

        An answer may be a function of the statement's values.
        """
        with self._guard:
            self._rules.insert(0, _rule(pattern, answers))

    def statements(self, pattern: str = "") -> list[Seen]:
        """Return what was asked that has this in it."""
        found = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        return [seen for seen in list(self.seen) if found.search(seen.text)]

    # -- for its connections -----------------------------------------------------------

    def admits(self, user: str, password: str) -> bool:
        """Whether this is the user; the state machine asks."""
        is_known = (user, password) == (USER, PASSWORD)
        with self._guard:
            self.logins += is_known
        return is_known

    def next_session(self) -> int:
        """Return a connection's number."""
        with self._guard:
            self.sessions += 1
            return self.sessions

    def lock_of(self, name: str) -> threading.Lock:
        """Return a row's lock."""
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def answer(self, sql: str, values: Sequence[Any]) -> Answer:
        """Return the next answer to a statement; None where no rule has one."""
        with self._guard:
            for pattern, answers in [*self._rules, *self._standard]:
                if pattern.search(sql):
                    found = answers.pop(0) if len(answers) > 1 else answers[0]
                    return found(values) if callable(found) else found
        return None

    @contextmanager
    def running(self) -> Iterator["ScriptedServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(
            target=self._tcp.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self._tcp.shutdown()
            self._tcp.server_close()


def _rule(pattern: str, answers: Sequence[Any]) -> Rule:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL), list(answers)
