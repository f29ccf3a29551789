"""Questions on a terminal: with the standard library only.

`input` edits a line by itself where Python has readline. What is typed is checked at
once; Ctrl-C and the end of input leave everything as it was.
"""

import getpass
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import TextIO

from kefu_core.errors import KefuError
from kefu_server.logs import escape
from kefu_server.words import Words

Read = Callable[[str], str]

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_COLOURS = {"✓": _GREEN, "!": _YELLOW, "✗": _RED, "→": _YELLOW}
_WIDTH_MAX = 88


class Terminal:
    """Says and asks. Raises `EOFError` or `KeyboardInterrupt` when a person leaves."""

    def __init__(
        self,
        words: Words,
        *,
        output: TextIO | None = None,
        read: Read = input,
        read_secret: Read = getpass.getpass,
    ) -> None:
        """Take the language, and where to write and read."""
        self.words = words
        self._output = output or sys.stdout
        self._read = read
        self._read_secret = read_secret
        self._is_coloured = self._output.isatty() and not os.environ.get("NO_COLOR")

    def say(self, text: str = "") -> None:
        """Write lines as they are; a mark in front gets its colour."""
        for line in text.splitlines() or [""]:
            colour = _COLOURS.get(line.lstrip()[:1], "")
            self._write(self._paint(line, colour) + "\n")

    def explain(self, text: str) -> None:
        """Write a paragraph, wrapped where its language has spaces."""
        width = min(_WIDTH_MAX, shutil.get_terminal_size().columns) - 1
        for line in text.splitlines():
            for part in textwrap.wrap(line, width, break_long_words=False) or [""]:
                self._write(self._paint(part, _DIM) + "\n")

    def head(self, number: int, count: int, title: str) -> None:
        """Begin a step."""
        self._write("\n" + self._paint(f"[{number}/{count}] {title}", _BOLD) + "\n")

    def ask(
        self,
        question: str,
        usual: str = "",
        check: Callable[[str], object] | None = None,
        wrong: str = "",
    ) -> str:
        """Return a line, the usual one for none.

        Args:
            question: What is asked.
            usual: What an empty line means.
            check: Raises `KefuError` for what will not do; it is asked again.
            wrong: What is said then, in the words of `wrong`; empty: what it raises.
        """
        shown = f" [{usual}]" if usual else ""
        while True:
            answer = self._read(f"{question}{shown}: ").strip() or usual
            try:
                if check is not None:
                    check(answer)
            except KefuError as error:
                text = self.words(f"wrong.{wrong}", value=answer) if wrong else error
                self.say(f"✗ {escape(str(text))}")
            else:
                return answer

    def ask_secret(self, question: str) -> str:
        """Return what is typed without being shown; empty for none."""
        return self._read_secret(f"{question}: ")

    def choose(self, question: str, choices: Sequence[tuple[str, str]]) -> str:
        """Return the name of one of several; an empty line takes the first."""
        for number, (_, text) in enumerate(choices, 1):
            self._write(f"  {number}  {text}\n")
        while True:
            answer = self._read(f"{question} [1]: ").strip() or "1"
            names = [name for name, _ in choices]
            if answer in names:
                return answer
            if answer.isascii() and answer.isdigit() and 0 < int(answer) <= len(names):
                return names[int(answer) - 1]
            self.say("✗ " + self.words("ask.choose", count=len(names)))

    def agree(self, question: str, *, usual: bool) -> bool:
        """Return whether somebody says yes; an empty line means `usual`."""
        yes, no = self.words("ask.yes"), self.words("ask.no")
        shown = f"{yes.upper()}/{no}" if usual else f"{yes}/{no.upper()}"
        while True:
            answer = self._read(f"{question} [{shown}]: ").strip().casefold()
            if not answer:
                return usual
            if answer in {yes, "y", "yes", "是"}:
                return True
            if answer in {no, "n", "no", "否"}:
                return False
            self.say("✗ " + self.words("ask.yes_or_no", yes=yes, no=no))

    def _paint(self, text: str, colour: str) -> str:
        if not (self._is_coloured and colour and text):
            return text
        return f"\x1b[{colour}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
