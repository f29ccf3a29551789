"""Pages that are written from the code are those of today, and leave nothing out."""

import re

import pytest

from kefu_server.reference_docs import PAGES, PUBLIC, REFERENCE, python_page


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_of_today(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == PAGES[name](), (
        "run: python -m kefu_server.reference_docs"
    )


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    parts = re.split(r"^### ", python_page(), flags=re.M)[1:]
    said = {part.partition("\n")[0].strip("`"): part for part in parts}
    assert {name for names in PUBLIC.values() for name in names} <= set(said)
    for name, part in said.items():
        text = re.sub(
            r"^Based on `[^`]+`\.$|^\| .*$|```.*?```|^#+ .*$", "", part, flags=re.M
        )
        assert len(text.partition("\n")[2].strip()) > 5, name
