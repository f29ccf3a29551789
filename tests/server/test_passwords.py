"""Which passwords are taken, and how they are kept."""

import threading

import anyio
import anyio.to_thread
import argon2
import pytest

from kefu_core.errors import Invalid
from kefu_server.passwords import HASHES_MAX, Passwords, check_new_password

GOOD = "correct horse battery"


@pytest.mark.parametrize(
    "password",
    [
        "83920174650392817465",
        GOOD,
        "五个随机的词语最好记住也最难猜",
        "".join(chr(97 + i * i % 26) for i in range(125)),
    ],
)
def test_a_long_password_is_taken_whatever_is_in_it(password: str) -> None:
    check_new_password(password, "ana")


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "P@ssw0rd12345678",
        "qwertyuiop123456",
        "1q2w3e4r5t6y7u8i",
        "1qaz2wsx3edc4rfv",
        "Administrator2024!",
        "12345678901234567890",
        "woaini1314520woaini",
        "iloveyou-iloveyou",
        "abcdefghijklmnop",
        "teapotsteapots!teapotsteapots!",
    ],
)
def test_what_everybody_chooses_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="many people"):
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


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_hashes_are_made_by_few_threads_whatever_other_threads_do(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread that made one keeps the memory that it took."""
    threads = set()

    def verify(*arguments: object) -> bool:
        threads.add(threading.get_ident())
        return True

    passwords = Passwords()
    monkeypatch.setattr(passwords, "_verify", verify)
    is_over = threading.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(HASHES_MAX + 2):
            assert await passwords.verify("stored", GOOD)
            tasks.start_soon(anyio.to_thread.run_sync, is_over.wait)
            await anyio.wait_all_tasks_blocked()
        is_over.set()
    assert len(threads) <= HASHES_MAX
