"""What set-up and checks say, in every language."""

import string

import pytest

from kefu_core.errors import ConfigurationError
from kefu_server.settings import setting_keys
from kefu_server.words import (
    FOLDER,
    Words,
    _flat,
    _read,
    language_of,
    languages,
    load_words,
)

ENGLISH = _read("en")


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", languages())
def test_every_language_says_everything_with_the_same_facts(language: str) -> None:
    # Comments on settings are the program's own sentences in English.
    texts = {k: v for k, v in _read(language).items() if k[:8] != "setting."}
    assert texts.keys() == ENGLISH.keys()
    assert {key: _names(text) for key, text in texts.items()} == {
        key: _names(text) for key, text in ENGLISH.items()
    }


def test_every_setting_has_a_chinese_comment() -> None:
    told = {key for key in _read("zh-CN") if key.startswith("setting.")}
    limits = {key for key, _, _ in setting_keys() if key.startswith("limits.")}
    assert told == {f"setting.{key}" for key, _, _ in setting_keys()} - {
        f"setting.{key}" for key in limits
    }


def test_what_a_language_leaves_out_is_said_in_english() -> None:
    assert "zh-CN" in languages()
    assert Words("xx", ENGLISH | _flat({"check": {"port": {"title": "P"}}}, ""))(
        "check.port.free.says", bind="[::1]:80"
    ) == ("[::1]:80 is free.")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh-CN"),
        ({"LANG": "de_DE@euro"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
        ({}, "en"),
    ],
)
def test_a_terminal_is_spoken_to_in_its_language(
    environ: dict[str, str], language: str
) -> None:
    assert language_of(environ) == language


def test_a_language_without_a_file_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'tlh'; choose one of en, zh-CN"):
        load_words("tlh")
    assert (FOLDER / "en.toml").exists()
