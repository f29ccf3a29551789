"""The Chinese pages say what the English ones say, as far as a machine can tell."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAIRS = [
    ("README.md", "README.zh-CN.md"),
    ("docs/howto/install.md", "docs/zh-CN/install.md"),
]
PAGES = [page for pair in PAIRS for page in pair]
HOWTO = [
    ("docs/howto/transports.md", "docs/zh-CN/transports.md"),
    ("docs/howto/embedding.md", "docs/zh-CN/embedding.md"),
    ("docs/howto/widget.md", "docs/zh-CN/widget.md"),
    ("docs/howto/history.md", "docs/zh-CN/history.md"),
    ("docs/howto/console.md", "docs/zh-CN/console.md"),
    ("docs/howto/offline.md", "docs/zh-CN/offline.md"),
    ("docs/howto/routing.md", "docs/zh-CN/routing.md"),
    ("docs/howto/databases.md", "docs/zh-CN/databases.md"),
    ("docs/howto/files.md", "docs/zh-CN/files.md"),
    ("docs/howto/sqlserver.md", "docs/zh-CN/sqlserver.md"),
    ("docs/howto/metrics.md", "docs/zh-CN/metrics.md"),
    ("docs/howto/translation.md", "docs/zh-CN/translation.md"),
    ("docs/howto/operations.md", "docs/zh-CN/operations.md"),
    ("docs/promise.md", "docs/zh-CN/promise.md"),
    ("docs/tutorial/operator.md", "docs/zh-CN/operator.md"),
    ("docs/explanation/capacity.md", "docs/zh-CN/capacity.md"),
    ("docs/explanation/failures.md", "docs/zh-CN/failures.md"),
]


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[str]:
    """Return the code blocks, without comments and what is in quotation marks."""
    found = re.findall(r"```.*?```", text_of(page), re.DOTALL)
    return [
        "\n".join(
            re.sub(r'"[^"]*"', '""', re.sub(r"\s*#.*", "", line)).rstrip()
            for line in block.splitlines()
        )
        for block in found
    ]


@pytest.mark.parametrize(("english", "chinese"), [*PAIRS, *HOWTO])
def test_a_page_has_the_same_parts_and_commands_in_both_languages(
    english: str, chinese: str
) -> None:
    assert blocks(english) == blocks(chinese)
    levels = [
        re.findall(r"^#+ ", text_of(page), re.MULTILINE) for page in (english, chinese)
    ]
    assert levels[0] == levels[1]


@pytest.mark.parametrize("page", PAGES)
def test_whoever_installs_the_server_gets_what_it_needs(page: str) -> None:
    lines = re.findall(r"pip install (.*)", text_of(page))
    assert "'kefu[server,sqlite]'" in [
        line.partition("  ")[0].strip() for line in lines
    ]
