"""No link between files of the repository leads nowhere."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, dead_links, links


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert dead_links(page) == []


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    assert {page.name for page in folder.glob("0*.md")} <= {
        *links(folder / "README.md")
    }


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, 中文\n\n## Twice\n\n## Twice\n\n"
        "[good](#a-title-中文) [good](#twice-1) [good](page.md#twice) [web](https://x)\n"
        "[dead](#twice-2) [dead](gone.md) [dead](page.md#gone) `[code](gone)`\n"
        "```text\n# no title\n[code](gone.md)\n```\n[dead](#no-title)\n",
        "utf-8",
    )
    assert dead_links(page) == ["#twice-2", "gone.md", "page.md#gone", "#no-title"]
