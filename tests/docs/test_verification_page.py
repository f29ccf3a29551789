"""The page that says what is checked names tests that there are."""

import re
from pathlib import Path

PAGE = Path("docs/verification.md").read_text("utf-8")
THREATS = Path("docs/security.md").read_text("utf-8")
PYTHON = "".join(
    path.read_text("utf-8")
    for folder in ("tests", "kefu_core/testing")
    for path in Path(folder).rglob("*.py")
)
BROWSER = "".join(path.read_text("utf-8") for path in Path("tests/web").glob("*.js"))


def test_every_test_on_the_page_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert {name for name in named if f"def {name}(" not in PYTHON} == set()


def test_every_test_that_a_measure_of_security_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", THREATS))
    assert len(named) > 15
    assert {name for name in named if f"def {name}(" not in PYTHON} == set()


def test_every_test_of_the_browsers_code_on_the_page_exists() -> None:
    tables = PAGE.partition("## Failures that others had\n")[2]
    named = set(re.findall(r'"([^"]+)"', tables))
    assert named
    assert {name for name in named if f'test("{name}"' not in BROWSER} == set()
