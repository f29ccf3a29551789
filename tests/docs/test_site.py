"""`make docs` builds a site without a warning, whose search finds Chinese."""

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as the Makefile does, elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    line = re.search(r"^\t\$\(PY\) -m (sphinx .*)$", makefile, re.M)
    assert line
    words = [
        str(folder / word.removeprefix("site").lstrip("/"))
        if word.partition("/")[0] == "site"
        else word
        for word in shlex.split(line[1])
    ]
    built = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert (built.returncode, built.stderr) == (0, "")
    return folder


def test_every_page_is_on_the_site_and_its_first_page_leads_on(site: Path) -> None:
    written = {
        page.relative_to(ROOT).with_suffix("")
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    }
    pages = {p.relative_to(site).with_suffix("") for p in site.rglob("*.html")}
    assert written - pages == set()
    assert 'url=docs/index.html"' in (site / "index.html").read_text("utf-8")


def test_nothing_on_the_site_is_fetched_from_elsewhere(site: Path) -> None:
    for page in (site / "docs" / "index.html", site / "search.html"):
        text = page.read_text("utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', text)


def test_the_search_finds_chinese_and_english_words(site: Path) -> None:
    text = (site / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip(")\n;"))
    for word, page in (("数据", "docs/zh-CN/install"), ("audit", "docs/promise")):
        found = index["terms"][word]
        numbers = found if isinstance(found, list) else [found]
        assert page in [index["docnames"][number] for number in numbers]


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
    navigations = []
    for page in ("docs/promise", "docs/zh-CN/promise"):
        text = (site / page).with_suffix(".html").read_text("utf-8")
        navigations.append(text.partition('class="sidebar-tree"')[2][:20_000])
    english, chinese = navigations
    assert "How to" in english
    assert "指南" not in english
    assert "指南" in chinese
    assert "How to" not in chinese
    assert '<html class="no-js" lang="zh-CN"' in text
