"""The services that settings name, for `kefu serve` and `kefu translate`."""

import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

from kefu_core.abc.translator import Translator
from kefu_core.errors import ConfigurationError
from kefu_core.translators.registry import find_translator, translator_names
from kefu_server.settings import Settings


def make_translators(settings: Settings) -> list[Translator]:
    """Return the services of the file in their order; none where there is no file.

    Raises:
        ConfigurationError: It cannot be read, or a service is not set up; no value of
            it is quoted.
    """
    name = settings.translation.file
    if not name:
        return []
    try:
        tables = tomllib.loads(Path(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"translation.file = {name!r}: {why}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: it is no TOML: {error}") from None
    try:
        return translators_of(tables)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def translators_of(tables: Mapping[str, object]) -> list[Translator]:
    """Return services from their tables. Raises `ConfigurationError`, quoting none."""
    made: list[Translator] = []
    for service, options in tables.items():
        if not isinstance(options, dict):
            known = ", ".join(translator_names())
            raise ConfigurationError(
                f"{service!r} stands outside of a table; write one for each "
                f"service, such as [deepl] with its key. There are: {known}."
            )
        made.append(find_translator(service).build(options, time.time))
    return made
