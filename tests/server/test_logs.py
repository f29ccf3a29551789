"""The log: one clean line for each event."""

import io
import logging
from collections.abc import Iterator

import pytest

from kefu_server.logs import LineFormatter, configure_logging, event


@pytest.mark.parametrize(
    "nasty", ["a\r\nb", "\x1b[31m", "\x00", "\u2028", "\u202e", "\x9b"]
)
def test_a_log_line_is_one_clean_line_whatever_is_in_it(nasty: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("kefu.test.lines")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        raise ValueError(nasty)
    except ValueError:
        logger.exception(event("fault", path=nasty, many=nasty * 1000))
    logger.removeHandler(handler)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert nasty not in line
    assert line[:-1].isprintable()
    assert len(line.split(" traceback=")[0]) < 4000
    assert " ERROR kefu.test.lines fault " in line


@pytest.fixture
def _own_logging() -> Iterator[None]:
    root, levels = logging.getLogger(), {}
    handlers = list(root.handlers)
    for name in ("", "kefu", "kefu_core", "kefu_server", "alembic", "asyncio"):
        levels[name] = logging.getLogger(name).level
    yield
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [("debug", "DEBUG", "INFO"), ("info", "INFO", "INFO"), ("error", "ERROR", "ERROR")],
)
def test_libraries_never_say_all_that_passes_through_them(
    level: str, ours: str, others: str
) -> None:
    configure_logging(level, io.StringIO())
    found = {
        name: logging.getLevelName(logging.getLogger(name).getEffectiveLevel())
        for name in ("kefu.http", "kefu_core.hub.hub", "aiosqlite", "websockets")
    }
    assert found == {
        "kefu.http": ours,
        "kefu_core.hub.hub": ours,
        "aiosqlite": others,
        "websockets": others,
    }


def test_a_field_with_blanks_is_quoted() -> None:
    assert event("x", a="b c", d=1) == 'x a="b c" d=1'
