"""docs/promise.md says nothing without the check that shows it, in both languages."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ENGLISH, CHINESE = (
    ROOT / "docs" / "promise.md",
    ROOT / "docs" / "zh-CN" / "promise.md",
)


def said(page: Path) -> list[str]:
    """Return all that stands below the first section's heading, line by line."""
    body = page.read_text("utf-8").partition("\n## ")[2]
    table = re.sub(r"^\|[^\n]*\|\n\|[-|]+\|\n", "", body, flags=re.M)
    return [line for line in table.splitlines()[1:] if line and line[0] != "#"]


def shown(line: str) -> list[tuple[str, str]]:
    """Return the names and targets of the links in a row's last column."""
    return re.findall(r"\[`?([^]`]+)`?\]\(([^)]+)\)", line.rstrip("| ").split("|")[-1])


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh-CN"])
def test_every_sentence_names_a_check_that_there_is(page: Path) -> None:
    lines = said(page)
    assert len(lines) > 50
    for line in lines:
        assert shown(line), line
        for name, target in shown(line):
            if not name.startswith("test_"):
                continue  # a page: test_links looks at those
            text = (page.parent / target).read_text("utf-8")
            assert f"def {name}(" in text, line


def test_both_languages_promise_the_same() -> None:
    english, chinese = (
        [[name for name, _ in shown(line) if name[:5] == "test_"] for line in said(p)]
        for p in (ENGLISH, CHINESE)
    )
    assert english == chinese
