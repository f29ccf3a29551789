"""Whether the database can be reached, used in full, and trusted."""

import os
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from kefu_core.errors import ConfigurationError
from kefu_core.node import unix_ms
from kefu_core.store import schema
from kefu_core.store.dialects.base import Refusal
from kefu_core.store.engine import parse_url
from kefu_core.store.probing import Probe, probe
from kefu_server.checks import WAIT_S, Check, ok, problem, warning
from kefu_server.one_server import file_of, refuse_network, type_of

_SUBJECT = "database"
_MOUNTS = Path("/proc/self/mounts")
_MAKING = {
    "mysql": "CREATE DATABASE {database} CHARACTER SET utf8mb4;",
    "postgresql": "CREATE DATABASE {database} OWNER {user} ENCODING 'UTF8' "
    "TEMPLATE template0;",
    "mssql": "CREATE DATABASE {database};",
}
_GRANTING = {
    "mysql": "GRANT ALL ON {database}.* TO '{user}'@'%';",
    "postgresql": "GRANT ALL ON SCHEMA public TO {user};",
    "mssql": "ALTER ROLE db_owner ADD MEMBER {user};",
}
"""What an administrator runs; the words of `missing` and `rights` show it."""


async def check_database(url: str, *, tries_rights: bool = True) -> list[Check]:
    """Connect as the server would; first whether it works, then what is weak about it.

    Args:
        url: SQLAlchemy's. A file of SQLite that is not there is not made.
        tries_rights: Whether a table of its own may be made and dropped again.
    """
    try:
        path = file_of(url)
        if path is not None and not path.exists():
            return [_check_new_file(path)]
        parsed = parse_url(url)
    except ArgumentError:
        return [problem(_SUBJECT, "url", why="it is no URL.")]
    except ConfigurationError as error:
        return [problem(_SUBJECT, "url", why=str(error))]
    names = {"database": str(parsed.database or ""), "user": parsed.username or "kefu"}
    server = str(path) if path else f"{parsed.host or ''}:{parsed.port or ''}"
    facts = names | {"server": server.rstrip(":")}
    engine = parsed.get_backend_name()
    found = await probe(url, unix_ms, wait_s=WAIT_S, tries_rights=tries_rights)
    if found.why:
        facts["why"] = found.why
        if found.refusal is Refusal.MISSING:
            facts["sql"] = _MAKING.get(engine, "").format_map(names)
        if found.refusal is Refusal.RIGHTS:
            return [_rights(engine, names, "")]
        return [problem(_SUBJECT, (found.refusal or "unknown"), **facts)]
    checks = [_usable(found, engine, names)]
    checks += [warning(_SUBJECT, "weak", why=text) for text in found.problems]
    return checks


def _usable(found: Probe, engine: str, names: dict[str, str]) -> Check:
    if found.missing:
        return _rights(engine, names, ", ".join(found.missing))
    facts = {"title": found.title, "schema": found.schema or ""}
    if found.schema is None:
        return ok(_SUBJECT, "empty", **facts)
    try:
        schema.require(found.schema)
    except ConfigurationError:
        is_known = found.schema < schema.newest()
        if is_known:
            return warning(_SUBJECT, "older", newest=schema.newest(), **facts)
        return problem(_SUBJECT, "newer", newest=schema.newest(), **facts)
    return ok(_SUBJECT, "current", **facts)


def _rights(engine: str, names: dict[str, str], missing: str) -> Check:
    sql = _GRANTING.get(engine, "").format_map(names)
    return problem(_SUBJECT, "rights", sql=sql, missing=missing or "?", **names)


def _check_new_file(path: Path) -> Check:
    """Look whether SQLite's file could be made, folders and all, without making it."""
    folder = path.parent.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        refuse_network(path, type_of(folder / path.name, _MOUNTS))
    except ConfigurationError as error:
        return problem(_SUBJECT, "url", why=str(error))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return problem(_SUBJECT, "folder", folder=str(folder), path=str(path))
    return ok(_SUBJECT, "new", path=str(path))
