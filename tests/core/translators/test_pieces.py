"""Nothing of a text is lost or moved, and no call gets more than it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.translators.pieces import batches, joined, pieces


@given(st.text(alphabet="ab .。\n,你😀", max_size=80), st.integers(1, 30))
def test_pieces_are_the_text(text: str, size: int) -> None:
    found = pieces(text, size)
    assert "".join(found) == text
    assert all(0 < len(each) <= size for each in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One two. Three four five", ["One two. ", "Three four ", "five"]),
        ("一二三四五六。七八九十", ["一二三四五六。", "七八九十"]),
        ("abcdefghijklmnop", ["abcdefghijk", "lmnop"]),
        ("short", ["short"]),
        ("", []),
    ],
)
def test_a_text_is_cut_where_a_sentence_ends(text: str, wanted: list[str]) -> None:
    assert pieces(text, 11 if len(text) != 11 else 10) == wanted


@given(st.lists(st.text(min_size=1, max_size=9), max_size=30), st.integers(1, 5))
def test_batches_are_all_texts_within_both_limits(texts: list[str], count: int) -> None:
    found = list(batches(texts, count, 10))
    assert [at for some in found for at in some] == list(range(len(texts)))
    for some in found:
        assert 0 < len(some) <= count
        assert sum(len(texts[at]) for at in some) <= 10


@pytest.mark.parametrize(
    ("translated", "language", "wanted"),
    [
        (["Hello.", "Goodbye."], "en", "Hello. Goodbye."),
        (["Hello. ", "Goodbye."], "en-GB", "Hello. Goodbye."),
        (["Hello.\n", "Goodbye."], "en", "Hello.\nGoodbye."),
        (["你好。 ", "再见。"], "zh-CN", "你好。再见。"),
        (["你好。\n", "再见。"], "zh-TW", "你好。\n再见。"),
        (["Hello", "!"], "en", "Hello!"),
        ([], "en", ""),
    ],
)
def test_pieces_are_put_together_as_the_language_does(
    translated: list[str], language: str, wanted: str
) -> None:
    assert joined(translated, language) == wanted
