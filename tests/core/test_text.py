"""What a text can be found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.errors import Invalid
from kefu_core.text import (
    QUERY_CHARS_MAX,
    QUERY_TERMS_MAX,
    SNIPPET_CHARS,
    TextQuery,
    fold,
    matches,
    parse_query,
    score,
    snippet,
    terms,
)

ALPHABET = "发货退款的Aaé é ﬁ㍻ｶﾞが한 1.½%_\"'\\\n\u200b❤️1️⃣ไทย\U0002000b\ud800"
texts = st.text(st.one_of(st.sampled_from(ALPHABET), st.characters()), max_size=60)


def test_chinese_is_its_overlapping_pairs_and_the_rest_is_words() -> None:
    assert terms("快递到了 SF123-45, OK!") == {
        *("快递", "递到", "到了"),
        *("sf123", "45", "ok"),
    }
    assert terms("iPhone手机壳") == {"iphone", "手机", "机壳"}
    assert terms("好 的") == set()
    assert terms("x" * 100) == {"x" * 64}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＡＢＣ１２３", "abc123"),
        ("Straße", "STRASSE"),
        ("café", "cafe\u0301"),
        ("ﾃﾞﾎﾟ", "デポ"),
        ("发\u200b货", "发货"),
        ("İstanbul", "istanbul"),
        ("①②", "12"),
        ("㈱", "(株)"),
        ("❤️a", "❤a"),
    ],
)
def test_what_looks_alike_is_the_same(one: str, other: str) -> None:
    assert fold(one).split() == fold(other).split()


def test_scripts_without_spaces_are_found_by_parts() -> None:
    for text, part in (
        ("ส่งของเมื่อไหร่", "เมื่อ"),
        ("いつ発送しますか", "発送"),
        ("배송은 언제", "배송"),
    ):
        assert matches(text, parse_query(part)), part
    assert not matches("पुस्तक की दुकान", parse_query("का"))


@pytest.mark.parametrize("text", ["", "货", "货 的", "%", "😀", "\0", "“”", "x" * 201])
def test_what_cannot_be_looked_for_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_query(text)


def test_a_long_query_has_few_terms() -> None:
    query = parse_query("".join(chr(0x4E00 + n) for n in range(QUERY_CHARS_MAX)))
    assert len(query.terms) == QUERY_TERMS_MAX


def test_a_lone_character_beside_a_word_must_be_in_the_text() -> None:
    query = parse_query("3号 楼")
    assert query.terms == ("3",)
    assert matches("3楼5号", query)
    assert not matches("3号", query)


@given(texts, st.data())
def test_a_part_of_a_text_is_found_in_it_by_its_terms(
    text: str, data: st.DataObject
) -> None:
    tokens = [*fold(text).split()]
    if not tokens:
        return
    picked = data.draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=4))
    try:
        query = parse_query(" ".join(picked))
    except Invalid:
        return
    assert matches(text, query)
    assert set(query.terms) <= terms(text)


@given(texts, texts)
def test_whatever_matches_is_indexed_by_every_term_of_the_query(
    text: str, words: str
) -> None:
    try:
        query = parse_query(words[:QUERY_CHARS_MAX])
    except Invalid:
        return
    if matches(text, query):
        assert set(query.terms) <= terms(text)


@given(texts)
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(texts, texts, texts)
def test_marks_of_a_snippet_fold_to_what_was_looked_for(
    before: str, words: str, after: str
) -> None:
    try:
        query = parse_query(words[:QUERY_CHARS_MAX])
    except Invalid:
        return
    text = f"{before * 4} {words} {after * 4}"
    found = snippet(text, query)
    assert len(found.text) <= SNIPPET_CHARS
    assert found.text in text
    assert found.marks
    ends = [0, *(edge for mark in found.marks for edge in mark), len(found.text)]
    assert ends == sorted(ends)
    assert all(a < b for a, b in zip(ends[2:-1:2], ends[3:-1:2], strict=False))
    for start, stop in found.marks[:-1]:
        marked = fold(found.text[start:stop])
        wanted = (*query.phrases, *query.words)
        assert any(each in marked for each in wanted) or _is_ligature(marked, query)


def _is_ligature(marked: str, query: TextQuery) -> bool:
    """Whether a mark covers a part of a character that folds to several."""
    return any(marked.strip() in each for each in (*query.phrases, *query.words))


def test_offsets_lead_back_to_the_text_as_it_was() -> None:
    text = "ﬁﬁ ㍻㍻ CAFE\u0301, 发\u200b货!"
    found = snippet(text, parse_query("发货 café"))
    assert [text[a:b] for a, b in found.marks] == ["CAFE\u0301", "发\u200b货"]
    assert found.text == text


def test_a_snippet_begins_a_little_before_the_first_match() -> None:
    text = "前" * 300 + "发货" + "后" * 300
    found = snippet(text, parse_query("发货"))
    ((start, stop),) = found.marks
    assert found.text[start:stop] == "发货"
    assert 10 < start < 40
    assert len(found.text) == SNIPPET_CHARS


def test_touching_marks_are_one() -> None:
    assert snippet("退款退款 退款", parse_query("退款")).marks == ((0, 4), (5, 7))
    assert snippet("发货时间", parse_query("发货 货时 间")).marks == ((0, 4),)


def test_the_more_often_and_the_shorter_the_better() -> None:
    query = parse_query("退款")
    texts = ("退款退款", "退款", "退款" + "长" * 50, "没有")
    scores = [score(text, query) for text in texts]
    assert scores == sorted(set(scores), reverse=True)
    assert scores[-1] == 0


@given(texts)
def test_folding_never_makes_a_text_many_times_longer(text: str) -> None:
    assert len(fold(text * 3 + "\ufdfa\u3300")) <= 6 * (3 * len(text) + 2)
