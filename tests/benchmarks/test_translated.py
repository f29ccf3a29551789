"""The benchmark of translation runs, and what it says is of something translated."""

import json

import pytest
from rich.progress import Progress

from benchmarks import translated
from benchmarks.chat import ChatOptions
from benchmarks.translated import run_translated
from benchmarks.translator import answer_of


def test_messages_are_judged_with_their_translations_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(translated, "ROUNDS", 1)
    monkeypatch.setattr(translated, "REST_S", 4.0)
    options = ChatOptions(visitors=2, agents=1, seconds=1.0, rate=5.0, processes=1)
    with Progress(disable=True) as progress:
        found, verdict = run_translated(options, "on", progress)
    assert verdict.passed
    assert found["behind_at_the_end"] == 0
    assert found["translation_lines"] != 0
    assert found["p95_ratio"] is not None


def test_the_service_answers_as_it_was_told() -> None:
    asked = json.dumps({"q": ["a", "b"], "source": "auto", "target": "zh"}).encode()
    told = {"translatedText": ["a [zh]", "b [zh]"]}
    assert answer_of("slow", asked) == ("200 OK", told)
    status, answer = answer_of("failing", asked)
    assert (status[:3], [*answer]) == ("503", ["error"])
