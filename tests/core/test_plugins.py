"""What settings name is found, whoever brings it, and is what it should be."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from kefu_core import plugins
from kefu_core.errors import ConfigurationError
from kefu_core.plugins import Plugins
from kefu_core.translators.registry import GROUP, find_translator, translator_names

OWN, FOREIGN, WRONG = "own", "foreign", 7


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Plugins[str]:
    found = EntryPoints(
        EntryPoint(name, f"{__name__}:{value}", group)
        for name, value, group in (
            ("foreign", "FOREIGN", "words"),
            ("own", "FOREIGN", "words"),
            ("wrong", "WRONG", "words"),
            ("stone", "WRONG", GROUP),
        )
    )

    def entry_points(**wanted: Any) -> EntryPoints:
        return found.select(**wanted)

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    return Plugins("word", {"own": f"{__name__}:OWN"}, "words", str)


def test_ours_come_first_and_cannot_be_replaced(words: Plugins[str]) -> None:
    assert words.names() == ["own", "foreign", "wrong"]
    assert words.find("own") == OWN
    assert words.find("foreign") == FOREIGN


def test_what_is_not_there_or_no_such_thing_is_a_wrong_setting(
    words: Plugins[str],
) -> None:
    with pytest.raises(ConfigurationError, match=r"no word 'x'; .* own, foreign, wr"):
        words.find("x")
    with pytest.raises(ConfigurationError, match=r"'wrong'.* is int, not a builtins"):
        words.find("wrong")


@pytest.mark.usefixtures("words")
def test_a_translator_of_another_package_must_be_one() -> None:
    assert translator_names()[-1] == "stone"
    with pytest.raises(ConfigurationError, match=r"service\.Kind object"):
        find_translator("stone")
