"""`make docs`: every page has its place, and the search finds Chinese."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kefu_core.text import terms
from tests.docs.pages import ROOT

INDEX = """# Index

```{toctree}
:caption: How to

tea
```

```{toctree}
:caption: 指南

zh-CN/tea
```
"""


def sphinx(*arguments: str) -> None:
    """Run the command of the Makefile, with other arguments at its end."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    line = re.search(r"^\t\$\(PY\) -m (sphinx .*) -b html ", makefile, re.M)
    assert line, "make docs"
    command = [sys.executable, "-m", *shlex.split(line[1]), *arguments]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of three pages as the large one is built."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "docs" / "zh-CN").mkdir(parents=True)
    (folder / "docs" / "index.md").write_text(INDEX, "utf-8")
    (folder / "docs" / "tea.md").write_text("# Tea\n\nGreen oolong.\n", "utf-8")
    (folder / "docs" / "zh-CN" / "tea.md").write_text("# 茶\n\n铁观音\n", "utf-8")
    sphinx("-b", "html", "-c", "docs/site", str(folder), str(folder / "site"))
    return folder / "site"


def test_all_pages_are_read_without_a_warning(tmp_path: Path) -> None:
    # A dead link, a dead anchor and a page outside the navigation are warnings.
    sphinx("-b", "dummy", "-c", "docs/site", ".", str(tmp_path))


def test_the_first_page_leads_on_and_nothing_is_fetched_from_elsewhere(
    site: Path,
) -> None:
    assert 'url=docs/index.html"' in (site / "index.html").read_text("utf-8")
    for page in (site / "docs" / "index.html", site / "search.html"):
        text = page.read_text("utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', text)


def test_the_search_finds_chinese_and_english_words(site: Path) -> None:
    text = (site / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip(")\n;"))
    for word, page in (("观音", "docs/zh-CN/tea"), ("oolong", "docs/tea")):
        assert index["docnames"][index["terms"][word]] == page


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_what_is_looked_for_is_cut_as_the_pages_are(site: Path) -> None:
    looked_for = "数据库 kefu audit 断线"
    code = "\n".join(
        [
            "var window = globalThis;",
            (site / "_static" / "language_data.js").read_text("utf-8"),
            "if (typeof splitQuery === 'undefined') { var splitQuery = null }",
            f"console.log(JSON.stringify(splitQuery({looked_for!r})))",
        ]
    )
    node = subprocess.run(["node", "-"], input=code, capture_output=True, text=True)
    assert node.stderr == ""
    assert set(json.loads(node.stdout)) == terms(looked_for)


def test_a_page_leads_to_pages_in_its_own_language(site: Path) -> None:
    english, chinese = (
        (site / page).with_suffix(".html").read_text("utf-8")
        for page in ("docs/tea", "docs/zh-CN/tea")
    )
    assert re.findall('caption-text">([^<]+)', english) == ["How to"]
    assert re.findall('caption-text">([^<]+)', chinese) == ["指南"]
    assert '<html class="no-js" lang="zh-CN"' in chinese
