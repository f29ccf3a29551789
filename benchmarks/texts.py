"""What visitors and agents say: real short dialogues, Chinese and English."""

import importlib.util
from functools import cache
from pathlib import Path

import yaml

LANGUAGES = ("chinese", "english")
CHARS_MAX = 500
FALLBACK = ("Hello, is this still available?", "请问什么时候可以发货？")


def load_texts() -> list[str]:
    """Return the lines of the dialogues, in the order of their files."""
    return list(_load())


@cache
def _load() -> tuple[str, ...]:
    spec = importlib.util.find_spec("chatterbot_corpus")
    if spec is None or spec.origin is None:
        return FALLBACK
    texts: list[str] = []
    for language in LANGUAGES:
        folder = Path(spec.origin).parent / "data" / language
        for path in sorted(folder.glob("*.yml")):
            content = yaml.safe_load(path.read_text("utf-8"))
            for dialogue in content.get("conversations", []):
                texts += [str(line)[:CHARS_MAX] for line in dialogue if line]
    return tuple(texts) or FALLBACK
