"""The documentation site: `make docs` builds it into `site/`, without any network.

Sources are the pages as they stand in the repository, so that links between them are
the same there, here and in a clone (decision 0027).
"""

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
    js_splitter_code = """
const chinese = "\\u3400-\\u9fff";
const runs = new RegExp(`[${chinese}]+|[^\\P{L}${chinese}]+|\\p{N}+`, "gu");
var splitQuery = (query) => (query.toLowerCase().match(runs) || []).flatMap((run) =>
  new RegExp(`[${chinese}]`).test(run) && run.length > 2
    ? [...run.slice(1)].map((next, at) => run[at] + next)
    : [run]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 - Sphinx names it
        """Return words, and pairs of Chinese characters."""
        return sorted(text.terms(input))


def _say_the_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document
) -> None:
    context["language"] = "zh-CN" if page.lower().find("zh-cn") > 0 else "en"


def setup(app: Sphinx) -> None:
    """Teach the search Chinese, and say of each page in which language it is."""
    app.add_search_language(PairsOfCharacters)
    app.connect("html-page-context", _say_the_language)
