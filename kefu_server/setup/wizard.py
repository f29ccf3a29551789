"""`kefu init` as a conversation: each step explains, asks, and tries what was said.

A step takes the choices so far and returns more of them. Nothing is written before the
last question, so that Ctrl-C at any moment leaves everything as it was.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from kefu_core.errors import KefuError
from kefu_server.checks import Check
from kefu_server.logs import escape
from kefu_server.setup import flags, steps
from kefu_server.setup.choices import Choices
from kefu_server.setup.files import planned
from kefu_server.setup.making import settings_of
from kefu_server.setup.report import check_lines, file_lines
from kefu_server.setup.terminal import Terminal
from kefu_server.setup.trial import examine_places

Step = Callable[["Wizard", Choices], Choices]
Look = Callable[[Choices], Awaitable[list[Check]]]

_STEPS: tuple[tuple[str, Step], ...] = (
    ("address", steps.ask_address),
    ("database", steps.ask_database),
    ("files", steps.ask_files),
    ("mail", steps.ask_mail),
    ("translation", steps.ask_translation),
    ("site", steps.ask_site),
    ("admin", steps.ask_admin),
    ("service", steps.ask_service),
)


class Wizard:
    """Asks for everything in order."""

    def __init__(self, terminal: Terminal) -> None:
        """Take where to ask."""
        self.terminal = terminal
        self.words = terminal.words
        self.password = ""
        """The admin's, where it was made here: to be shown once."""

    def run(self, config: Path | None) -> Choices | None:
        """Return the choices, None when somebody decides against them.

        Raises:
            ConfigurationError: The settings that are there cannot be read.
        """
        terminal, words = self.terminal, self.words
        terminal.say(words("init.welcome"))
        terminal.explain(words("init.welcome_more"))
        path = flags.config_path(config)
        if config is None:
            path = Path(terminal.ask(words("ask.config"), str(path))).expanduser()
        values = flags.earlier_values(path)
        if values:
            terminal.say(words("init.goes_on", path=path))
        choices = Choices(config=path, values=values)
        for number, (name, step) in enumerate(_STEPS, 1):
            terminal.head(number, len(_STEPS), words(f"step.{name}.title"))
            terminal.explain(words(f"step.{name}.why"))
            choices = step(self, choices)
        return self._agreed(choices)

    def until_good(
        self, choices: Choices, ask: Callable[[Choices], Choices], look: Look
    ) -> Choices:
        """Ask and look, until it works or a person goes on without."""
        while True:
            try:
                asked = ask(choices)
                settings_of(asked)
            except KefuError as error:
                self.terminal.say(f"✗ {escape(str(error))}")
                continue
            while self.says_problem(anyio.run(look, asked)):
                what = self.terminal.choose(
                    self.words("ask.problem"),
                    [
                        (n, self.words(f"problem.{n}"))
                        for n in ("change", "again", "on")
                    ],
                )
                if what == "on":
                    return asked
                if what == "change":
                    break
            else:
                return asked

    def says_problem(self, checks: Sequence[Check]) -> bool:
        """Show findings; return whether one of them is a problem."""
        for check in checks:
            for line in check_lines(check, self.words):
                self.terminal.say(line)
        return any(check.is_problem for check in checks)

    def _agreed(self, choices: Choices) -> Choices | None:
        files = planned(choices, settings_of(choices), self.words)
        self.terminal.say()
        self.terminal.say(self.words("init.all_files"))
        for line in file_lines(files, self.words):
            self.terminal.say(line)
        self.terminal.say()
        self.says_problem(examine_places(files))
        is_agreed = self.terminal.agree(self.words("ask.write"), usual=True)
        return choices if is_agreed else None
