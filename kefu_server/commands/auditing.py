"""`kefu audit`: whether what is stored is sound."""

import argparse

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import AuditReport
from kefu_core.abc.store import Store
from kefu_server.accounts import in_store
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.output import say
from kefu_server.progress import Progress
from kefu_server.settings import Settings


def add_auditing(commands: Commands) -> None:
    """Add `kefu audit`."""
    add_command(
        commands,
        "audit",
        _audit,
        "look through all that is stored and name what is wrong; changes nothing",
    )


def _audit(options: argparse.Namespace, settings: Settings) -> int:
    report = in_store(settings, _look)
    for fault in report.faults:
        say(str(fault))
    total = sum(report.counts.values())
    if total > len(report.faults):
        say(f"… and {total - len(report.faults):,} more")
    for kind, count in sorted(report.counts.items()):
        say(f"{kind}: {count:,}")
    seen = f"{report.conversations:,} conversations, {report.messages:,} messages"
    if report.without_digest:
        seen += f" ({report.without_digest:,} older than digests)"
    say(f"{seen}: {'sound' if report.is_sound else f'{total:,} faults'}")
    return 0 if report.is_sound else 1


async def _look(store: Store) -> AuditReport:
    extent = await store.measure(ConversationFilter())
    with Progress("messages", extent.messages) as progress:
        return await store.audit(
            on_progress=lambda conversations, messages: progress.show(messages)
        )
