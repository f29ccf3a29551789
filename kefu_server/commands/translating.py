"""`kefu translate`: asks each service once, as the server would."""

import argparse
from typing import Any

import anyio

from kefu_core.abc.translator import TranslationFailed, Translator
from kefu_core.errors import ConfigurationError, KefuError
from kefu_core.languages import normal_tag
from kefu_server.commands.parsing import Command
from kefu_server.output import say
from kefu_server.settings import Settings
from kefu_server.translating import make_translators


def add_translating(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "translate",
        help="ask each service of translation.file for one text",
        description="Asks each service of `translation.file` for one text, and shows "
        "what it answers. It costs what a message of this length costs.",
    )
    parser.add_argument("text", help="what is to be translated")
    parser.add_argument("--to", required=True, metavar="TAG", help="such as zh-CN")
    parser.add_argument("--from", default="", metavar="TAG", dest="source")
    command: Command = _translate
    parser.set_defaults(command=command)


def _translate(options: argparse.Namespace, settings: Settings) -> int:
    target, source = normal_tag(options.to), normal_tag(options.source)
    if not target or (options.source and not source):
        raise ConfigurationError("A language is a tag such as zh-CN or pt-BR.")
    translators = make_translators(settings)
    if not translators:
        raise ConfigurationError(
            "No service is set up: name a file of them in translation.file."
        )
    return anyio.run(_ask, translators, options.text, source, target)


async def _ask(
    translators: list[Translator], text: str, source: str, target: str
) -> int:
    failures = 0
    for each in translators:
        try:
            found = await each.translate([text], source=source, target=target)
        except TranslationFailed as error:
            failures += 1
            say(f"{each.name}: failed ({error.trouble.value}): {error}")
        except KefuError as error:
            failures += 1
            say(f"{each.name}: failed: {error}")
        else:
            known = found[0].source or source or "?"
            say(f"{each.name}: {known} -> {target}: {found[0].text}")
    return 1 if failures else 0
