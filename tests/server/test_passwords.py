"""Which passwords are taken, and how they are kept."""

import argon2
import pytest

from kefu_core.errors import Invalid
from kefu_server.passwords import Passwords, check_new_password

GOOD = "correct horse battery"


@pytest.mark.parametrize(
    "password", [GOOD, "五个随机的词语最好记住也最难猜", "x1y2z" * 25]
)
def test_a_long_password_is_taken_whatever_is_in_it(password: str) -> None:
    check_new_password(password, "ana")


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 129, "abababababababababab", "ana ana or somebody"]
)
def test_an_easy_password_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_new_password(password, "Ana")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_only_the_password_itself_fits(anyio_backend: str) -> None:
    passwords = Passwords()
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, GOOD + " ")
    assert not await passwords.verify(None, GOOD)
    assert not await passwords.verify("garbled", GOOD)
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    assert passwords.needs_rehash(weaker.hash(GOOD))
    assert not passwords.needs_rehash(stored)
