"""Translators by name: our own, and those that installed packages bring."""

from kefu_core.plugins import Plugins
from kefu_core.translators.service import Kind

GROUP = "kefu.translators"
_OWN = {
    name: f"kefu_core.translators.{name}:TRANSLATOR"
    for name in (
        "google",
        "azure",
        "deepl",
        "baidu",
        "tencent",
        "alibaba",
        "youdao",
        "libretranslate",
        "openai",
    )
}
_ALL = Plugins("translator", _OWN, GROUP, Kind)


def find_translator(name: str) -> Kind:
    """Return a kind. Raises `ConfigurationError` for an unknown name."""
    return _ALL.find(name)


def translator_names() -> list[str]:
    """Return the names of all translators that are installed."""
    return _ALL.names()
