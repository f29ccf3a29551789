"""Every operation of the document answers as the document says, whoever asks."""

import re
from pathlib import Path

import pytest

from kefu_server.openapi import document
from tests.depth import IS_LONG
from tests.docs.walk import WHO, walk
from tests.faults.people import Server

EXAMPLES = {"admin": 2, "visitor": 1, "program": 1}
"""Of each operation, in each phase; most are refused to the two others."""
WHOM = WHO if IS_LONG else WHO[:3]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("who", WHOM)
def test_every_answer_is_as_documented_with_its_headers(
    tmp_path: Path, who: str
) -> None:
    with Server(tmp_path) as server:
        done = walk(server, who, EXAMPLES.get(who, 2))
        assert server.process.poll() is None
        assert "Traceback" not in server.log
    assert done.returncode == 0, done.stdout + done.stderr
    tested = re.search(r"Tested: (\d+)", done.stdout)
    operations = sum(len(path) for path in document()["paths"].values())
    assert tested, done.stdout
    # All of them but the logout.
    assert int(tested.group(1)) == operations - 1
