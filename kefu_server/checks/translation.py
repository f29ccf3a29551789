"""Whether the services that translate do."""

from kefu_core.abc.translator import Translator
from kefu_core.errors import ConfigurationError, KefuError
from kefu_server.checks import Check, ok, problem
from kefu_server.settings import Settings
from kefu_server.translating import make_translators

_SUBJECT = "translation"
_TEXT = "Good morning"


async def check_translation(settings: Settings) -> list[Check]:
    """Ask each service of the file for two words; none where there is no file."""
    try:
        translators = make_translators(settings)
    except ConfigurationError as error:
        return [problem(_SUBJECT, "file", why=str(error))]
    return [await check_translator(each) for each in translators]


async def check_translator(translator: Translator) -> Check:
    """Ask one service for two words; it may count their twelve characters."""
    facts = {"name": translator.name}
    try:
        (said,) = await translator.translate([_TEXT], source="en", target="zh-CN")
    except (KefuError, ConfigurationError) as error:
        return problem(_SUBJECT, "failed", why=str(error), **facts)
    return ok(_SUBJECT, "works", asked=_TEXT, said=said.text, **facts)
