"""Who waits for what the server has to say of one request, by its id."""

from collections.abc import Callable
from typing import Generic, TypeVar

import anyio

from kefu_core.errors import RefusedError

T = TypeVar("T")


class Rejected(RefusedError):
    """The server refused; `wire_code` says why."""

    def __init__(self, code: str, text: str) -> None:
        """Take the code and text of an `error` frame."""
        super().__init__(text)
        self.wire_code = code


class Answers(Generic[T]):
    """Answers on their way; of one request, the first counts."""

    def __init__(self) -> None:
        """Begin with nobody who waits."""
        self._waiting: dict[str, tuple[anyio.Event, list[T]]] = {}

    async def after(self, request: Callable[[], object], request_id: str) -> T:
        """Make a request and wait for its answer.

        Cancellation: the answer goes nowhere.
        """
        event, found = self._waiting[request_id] = anyio.Event(), list[T]()
        try:
            request()
            await event.wait()
        finally:
            self._waiting.pop(request_id, None)
        return found[0]

    def give(self, request_id: str, answer: T) -> None:
        """Hand an answer to who waits for it, if anybody does."""
        event, found = self._waiting.get(request_id, (None, []))
        if event is not None and not found:
            found.append(answer)
            event.set()

    def give_all(self, answer: T) -> None:
        """Hand the same answer to everybody who waits."""
        for request_id in list(self._waiting):
            self.give(request_id, answer)
