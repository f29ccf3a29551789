"""What is the same language, and what needs none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.languages import (
    are_same,
    has_words,
    language_of,
    nearest,
    normal_tag,
    text_key,
)


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("pt-br", "pt-BR"),
        ("ZH_hant_hk", "zh-Hant-HK"),
        (" en ", "en"),
        ("es-419", "es-419"),
        ("fil", "fil"),
        ("", ""),
        ("english", ""),
        ("e", ""),
        ("en-", ""),
        ("en--US", ""),
        ("<b>", ""),
        ("en-" + "a" * 40, ""),
        ("中文", ""),
    ],
)
def test_tags_are_written_in_one_way(tag: str, wanted: str) -> None:
    assert normal_tag(tag) == wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("en-GB", "en-US"),
        ("zh", "zh-CN"),
        ("zh-SG", "zh-Hans-HK"),
        ("zh-TW", "zh-Hant"),
        ("zh-HK", "yue"),
        ("nb", "nn-NO"),
        ("iw", "he-IL"),
        ("sr", "sr-Cyrl-RS"),
    ],
)
def test_who_reads_the_one_reads_the_other(one: str, other: str) -> None:
    assert are_same(one, other)
    assert are_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pt", "es"),
        ("zh-CN", "zh-TW"),
        ("zh-Hant-CN", "zh"),
        ("sr-Latn", "sr"),
        ("", ""),
        ("", "en"),
        ("?", "?"),
    ],
)
def test_who_reads_the_one_may_not_read_the_other(one: str, other: str) -> None:
    assert not are_same(one, other)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("pt-br", "pt-BR"), ("pt-AO", "pt-PT"), ("zh", "zh-CN"), ("zh-TW", ""), ("", "")],
)
def test_of_several_languages_the_nearest_is_read(wanted: str, found: str) -> None:
    assert nearest(wanted, iter(["pt-PT", "pt-BR", "zh-CN"])) == found


@pytest.mark.parametrize(
    "text",
    [
        "你好",
        "ok",
        "Olá!",
        "where is 4711?",
        "尺码42有货吗",
        "see https://example.com/a please",
        "`ls` shows nothing",
        "привет",
        "ขอบคุณ",
        "mail bob@example.com",
        "请看https://example.com/a",
        "请发到bob@example.com谢谢",
        "@bob",
    ],
)
def test_words_are_translated(text: str) -> None:
    assert has_words(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "¥199.00",
        "2026-11-26 10:30",
        "SF1234567890",
        "https://example.com/a?b=c",
        "www.example.com",
        "bob@example.com",
        "😀👍🏽",
        "?!…",
        "`print(1)`",
        "```\nfor x in y:\n    pass\n```",
        "```\nnot closed",
        "+86 138 0013 8000",
    ],
)
def test_what_is_the_same_everywhere_is_not(text: str) -> None:
    assert not has_words(text)


@given(st.text(max_size=60))
def test_whatever_comes_there_is_an_answer(text: str) -> None:
    has_words(text)
    assert normal_tag(normal_tag(text)) == normal_tag(text)
    assert are_same(text, text) == bool(language_of(text))


@pytest.mark.parametrize("part", ["好", "a.", "a@", "1", "`", "😀", "a://", "www", "-"])
def test_a_long_text_without_blanks_is_looked_at_once(part: str) -> None:
    # Looked at again from each of its letters this would take an hour.
    has_words(part * 400_000)


def test_a_text_is_found_again_without_the_blanks_around_it() -> None:
    assert text_key("oi") == text_key(" oi\n") != text_key("Oi")
    assert len(text_key("oi", "\ud800")) == 64


@given(st.lists(st.text("a:1 "), max_size=3), st.lists(st.text("a:1 "), max_size=3))
def test_no_two_rows_of_texts_are_found_by_the_same(
    one: list[str], other: list[str]
) -> None:
    are_alike = [text.strip() for text in one] == [text.strip() for text in other]
    assert (text_key(*one) == text_key(*other)) is are_alike
