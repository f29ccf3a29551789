"""The documentation site: `make docs` builds it into `site/`, without any network.

Sources are the pages as they stand in the repository, so that links between them are
the same there, here and in a clone (decision 0027).
"""

import re
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

import kefu_core
from kefu_core import text

project = "kefu"
author = "kefu"
release = kefu_core.__version__
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/**/*.md",
    "examples/README.md",
    "benchmarks/README.md",
]
# Folders are named so that nobody walks through them.
exclude_patterns = [".*", "node_modules", "site", "tests", "kefu_*"]

myst_heading_anchors = 4
myst_links_external_new_tab = False
# JSON with `…` in it is meant for people.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"kefu {release}"
html_extra_path = ["extra"]
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_permalinks_icon = "#"
html_search_language = "kefu"


class PairsOfCharacters(SearchLanguage):
    """English and Chinese at once, cut as kefu's own search cuts them."""

    lang = "kefu"
    language_name = "English and Chinese"
    stopwords: ClassVar = frozenset({"a", "an", "and", "is", "it", "of", "or", "the"})
    js_splitter_code = r"""
const chinese = /[\u3400-\u9fff]/;
const runs = /[\u3400-\u9fff]+|[^\P{L}\u3400-\u9fff]+|\p{N}+/gu;
var splitQuery = (query) => (query.toLowerCase().match(runs) || []).flatMap((run) =>
  chinese.test(run) && run.length > 2
    ? [...run.slice(1)].map((next, at) => run[at] + next)
    : [run]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 - Sphinx names it
        """Return words, and pairs of Chinese characters."""
        return sorted(text.terms(input))


def _keep_to_the_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document
) -> None:
    """Say in which language a page is, and lead to pages in it only."""
    is_chinese = "zh-CN" in page
    context["language"] = "zh-CN" if is_chinese else "en"
    groups = re.split('(?=<p class="caption")', context.get("furo_navigation_tree", ""))
    context["furo_navigation_tree"] = "".join(
        group
        for group in groups
        if bool(re.search("<p[^>]*>.*?[\u4e00-\u9fff].*?</p>", group)) == is_chinese
        or page == "search"
    )


def setup(app: Sphinx) -> None:
    """Teach the search Chinese, and keep the two languages apart."""
    app.add_search_language(PairsOfCharacters)
    # After Furo, which makes the navigation.
    app.connect("html-page-context", _keep_to_the_language, priority=900)
