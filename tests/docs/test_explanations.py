"""What docs/explanation says is measured was measured, and what is shown is shown."""

import re
from pathlib import Path

import pytest

from kefu_core.limits import Limits
from tests.docs.pages import ROOT

EXPLANATION, CHINESE = ROOT / "docs" / "explanation", ROOT / "docs" / "zh-CN"
CAPACITY = [EXPLANATION / "capacity.md", CHINESE / "capacity.md"]


def rows(page: Path) -> list[list[str]]:
    """Return the cells of each row of each table, heads and lines left out."""
    text = re.sub(r"^\|[^\n]*\|\n\|[-|]+\|\n", "", page.read_text("utf-8"), flags=re.M)
    lines = re.findall(r"^\| (.*) \|$", text, re.M)
    return [line.split(" | ") for line in lines]


@pytest.mark.parametrize("page", CAPACITY, ids=["en", "zh-CN"])
def test_every_figure_is_on_the_page_that_it_is_from(page: Path) -> None:
    figures = [row for row in rows(page) if "/benchmarks/" in row[-1]]
    assert len(figures) == 14
    for _, figure, link in figures:
        source = (page.parent / re.findall(r"\(([^)]+)\)", link)[0]).read_text("utf-8")
        for number in re.findall(r"\d[\d,.]*", figure):
            assert number.rstrip(",") in source, (figure, link)


@pytest.mark.parametrize("page", CAPACITY, ids=["en", "zh-CN"])
def test_the_limits_named_have_these_values(page: Path) -> None:
    limits = Limits()
    text = page.read_text("utf-8")
    for name, value in re.findall(r"`limits\.(\w+)`\D+?([\d,]+)", text):
        assert getattr(limits, name) == int(value.strip(",").replace(",", "")), name
    assert f"{limits.appender_messages_max:,}" in text


@pytest.mark.parametrize(
    "page",
    [
        EXPLANATION / "guarantees.md",
        EXPLANATION / "failures.md",
        CHINESE / "failures.md",
    ],
    ids=lambda page: page.parent.name + "-" + page.stem,
)
def test_each_row_names_tests_that_there_are(page: Path) -> None:
    count = 0
    for row in rows(page):
        named = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", row[-1])
        count += bool(named)
        assert named or len(row) == 3, row
        for name, target in named:
            assert f"def {name}(" in (page.parent / target).read_text("utf-8"), row
    assert count >= 14


def test_every_guarantee_has_its_row() -> None:
    named = [row[0].partition(" ")[0] for row in rows(EXPLANATION / "guarantees.md")]
    assert named == [f"**G{number}**" for number in range(1, 15)]
