"""Every page of Markdown in the repository, with its links and anchors."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples", "benchmarks", "deploy", "tests", "kefu_server")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))]
)


@cache
def text_of(page: Path) -> str:
    """Return a page without its blocks of code, which have links to nowhere."""
    return re.sub(r"^(```+).*?^\1$", "", page.read_text("utf-8"), flags=re.S | re.M)


def links(page: Path) -> list[str]:
    """Return where the links of a page lead to, those to other hosts left out."""
    found = re.findall(r"\]\(([^)\s]+)[^)]*\)", re.sub(r"`[^`\n]*`", "", text_of(page)))
    return [to for to in found if not re.match(r"[a-z]+:", to)]


@cache
def anchors(page: Path) -> set[str]:
    """Return what a link to a page may name after `#`, as code hosts make it."""
    found: set[str] = set(re.findall(r'<a id="([^"]+)"', text_of(page)))
    for title in re.findall(r"^#+ +(.+?) *$", text_of(page), re.M):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        count = sum(1 for each in found if re.fullmatch(rf"{slug}(-\d+)?", each))
        found.add(f"{slug}-{count}" if slug in found else slug)
    return found


def dead_links(page: Path) -> list[str]:
    """Return the links of a page that lead to no file or no heading."""
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target)
        ):
            dead.append(link)
    return dead
