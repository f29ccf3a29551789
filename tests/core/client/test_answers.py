"""Answers find who waits for them."""

import anyio
import pytest

from kefu_core.client.answers import Answers

pytestmark = pytest.mark.anyio


async def test_the_first_answer_counts_also_when_it_comes_at_once() -> None:
    answers: Answers[str] = Answers()

    def request() -> None:
        answers.give("a", "first")
        answers.give("a", "second")

    assert await answers.after(request, "a") == "first"


async def test_everybody_who_waits_gets_the_answer_for_all() -> None:
    answers: Answers[str] = Answers()
    found: list[str] = []

    async def wait(request_id: str) -> None:
        found.append(await answers.after(lambda: None, request_id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, "a")
        tasks.start_soon(wait, "b")
        await anyio.wait_all_tasks_blocked()
        answers.give("c", "nobody's")
        answers.give_all("gone")
    assert found == ["gone", "gone"]


async def test_who_waits_no_more_is_forgotten() -> None:
    answers: Answers[str] = Answers()
    with anyio.move_on_after(0):
        await answers.after(lambda: None, "a")
    answers.give("a", "late")

    def refuse() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await answers.after(refuse, "b")
    assert answers._waiting == {}
