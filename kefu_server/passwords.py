"""Passwords: argon2id, a few at a time, in threads.

A hash costs 19 MiB and some 20 ms by intent. Two at once is the most that a small
machine should spend on strangers while agents and visitors talk; a login that would
be far back in the line is told to come again.
"""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kefu_core.errors import Busy, Invalid

_T = TypeVar("_T")

CHARS_MIN = 15
CHARS_MAX = 128
HASHES_MAX = 2
WAITING_MAX = 64

_EVERYBODYS = """
    abcdefghijklmnopqrstuvwxyz 1q2w3e4r5t6y7u8i9o0p qwertzuiop qwertyuiop administrator
    basketball asdfghjkl q1w2e3r4t5 passphrase 1q2w3e4r5t changeme whatever sunshine
    princess password passwort football baseball iloveyou superman starwars welcome
    letmein pokemon michael charlie default freedom trustno 1q2w3e4r abcdefg zxcvbnm
    asdfgh batman zxcvbn jordan qwerty qwertz dragon monkey master shadow secret poiuyt
    abcdef woaini abcde admin hello world login guest super magic abcd kefu mima root
    1314520 1314 520 test user demo pass 1qaz 2wsx 3edc 4rfv qaz wsx edc rfv abc xyz
"""
"""What long common passwords are put together from, longest first."""
_LEET = str.maketrans("@4301!5$7", "aaeoiisst")
_OWN_CHARS_MIN = 8


def _is_everybodys(password: str) -> bool:
    """Whether little is left of a password once common words and runs are taken out.

    Fifteen characters rule out nearly every password of the well-known lists; what
    is left of them are words of these lists in a row: `qwertyuiop123456`.
    """
    folded = password.casefold()
    rests = [folded, folded.translate(_LEET)]
    for word in _EVERYBODYS.split():
        rests = [rest.replace(word, " ") for rest in rests]
    # Said twice, a word is worth as much as once.
    is_repeated = folded in (folded + folded)[1:-1]
    return is_repeated or min(map(_own_chars, rests)) < _OWN_CHARS_MIN


def _own_chars(text: str) -> int:
    """Count letters and digits that do not follow from the one before: 1234, aaaa."""
    pairs = zip(" " + text, text, strict=False)
    return sum(b.isalnum() and abs(ord(a) - ord(b)) > 1 for a, b in pairs)


def check_new_password(password: str, login: str) -> None:
    """Refuse a password that is easy to guess. Raises `Invalid` with the reason."""
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        raise Invalid(
            f"The password has {len(password)} characters; use {CHARS_MIN} to "
            f"{CHARS_MAX}, for example four or five random words."
        )
    if len(set(password)) < 5:
        raise Invalid("The password repeats a few characters; use random words.")
    if _is_everybodys(password):
        raise Invalid(
            "The password is made of what many people use; choose random words."
        )
    if len(login) > 2 and login.casefold() in password.casefold():
        raise Invalid("The password contains the login; choose another.")


class Passwords:
    """Hashes and checks passwords without holding up the event loop."""

    def __init__(self) -> None:
        # OWASP's least parameters: 19 MiB, two passes, one lane.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        # Threads of its own: what a hash took, glibc keeps for the thread that took it,
        # and of the threads that everybody shares each would have it one day.
        self._threads = ThreadPoolExecutor(HASHES_MAX, "kefu-password")
        self._waiting = 0

    @functools.cached_property
    def _nobody(self) -> str:
        """A hash that no password fits: what unknown logins are checked against."""
        return self._hasher.hash("no account has this password, ever")

    def hash_now(self, password: str) -> str:
        """Return the hash of a new password, blocking: for command lines."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """Return the hash of a new password. Raises `Busy`."""
        return await self._run(functools.partial(self._hasher.hash, password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Return whether the password fits; the same work when there is no account.

        Raises:
            Busy: Too many are waiting for their turn.
        """
        return await self._run(functools.partial(self._verify, stored, password))

    def needs_rehash(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            fits = self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return fits and stored is not None

    async def _run(self, work: "functools.partial[_T]") -> _T:
        if self._waiting >= WAITING_MAX:
            raise Busy("Too many people are logging in; try again.", retry_after_s=2)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
