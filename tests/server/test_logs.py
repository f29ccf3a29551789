"""The log: one clean line for each event."""

import io
import logging

import pytest

from kefu_server.logs import LineFormatter, event


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


def test_a_field_with_blanks_is_quoted() -> None:
    assert event("x", a="b c", d=1) == 'x a="b c" d=1'
