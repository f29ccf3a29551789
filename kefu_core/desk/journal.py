"""The journal: who did what, when and from where. Only this module adds to it.

Entries are added and, when their days are over, deleted; none is ever changed. They
hold names of what was changed and never a secret, a password or what people wrote.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kefu_core.abc.records import Records
from kefu_core.ids import IdGenerator
from kefu_core.model import Principal
from kefu_core.records import AuditEntry
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

CLI = "cli"
"""Stands for whoever runs commands on the server: the operating system knows who."""
_TARGET_CHARS = 200


class Journal:
    """Adds entries."""

    def __init__(
        self, store: Records, ids: IdGenerator, now_ms: Callable[[], int]
    ) -> None:
        """Take the store, a source of ids and the wall clock (Unix ms)."""
        self._store = store
        self._ids = ids
        self._now_ms = now_ms

    async def write(
        self,
        who: str,
        action: str,
        target: str = "",
        data: dict[str, Any] | None = None,
        *,
        address: str = "",
    ) -> None:
        """Add one entry. Raises `StoreUnavailable`.

        Args:
            who: A participant, `CLI`, or nothing where nobody knows.
            action: The method, command or event, such as `agent.put` or `login`.
            target: What it was done to, such as `agent 7 ana`.
            data: What people should know of it; no secrets.
            address: Where it came from.
        """
        entry = AuditEntry(
            id=self._ids.new(),
            at=UnixMs(self._now_ms()),
            who=who,
            action=action,
            target=target[:_TARGET_CHARS],
            data=data or {},
            address=address,
        )
        await self._store.put_records(entry)


async def note(
    desk: "Desk", who: Principal, action: str, target: str, data: dict[str, Any]
) -> None:
    """Write down who changed what; never secrets."""
    await desk.journal.write(who.participant, action, target, data, address=who.address)
