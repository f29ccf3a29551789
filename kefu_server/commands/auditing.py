"""`kefu audit`: whether what is stored is sound.

Exit status: 0 sound; 1 something is wrong; 3 sound, and messages have waited for their
delivery longer than `--late` allows.
"""

import argparse
from contextlib import suppress

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import AuditReport, Fault, Late
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError, StoreUnavailable
from kefu_core.ids import agent_participant
from kefu_core.node import unix_ms
from kefu_core.types import UnixMs
from kefu_core.upkeep.files import FilesReport, audit_files
from kefu_server.accounts import in_store
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.output import say
from kefu_server.progress import Progress
from kefu_server.settings import Settings
from kefu_server.storing import open_files

LATE = 3
"""The exit status for messages that wait too long, where nothing is wrong."""
_LATE_SHOWN = 20


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run has seen; with `--json` it is written as it stands."""

    is_sound: bool
    conversations: int
    messages: int
    without_digest: int
    files: int | None
    """None: not looked at."""
    file_bytes: int | None
    faults: list[Fault]
    """The first hundred of the log, and all of files."""
    counts: dict[str, int]
    late_s: float | None
    late: list[Late]
    names: dict[str, str]
    """Logins of the agents whose messages are late, by participant."""

    @property
    def total(self) -> int:
        """How many faults there are."""
        return sum(self.counts.values())


def add_auditing(commands: Commands) -> None:
    """Add `kefu audit`."""
    parser = add_command(
        commands,
        "audit",
        _audit,
        "look through all that is stored and name what is wrong; changes nothing",
    )
    parser.add_argument(
        "--late",
        type=float,
        metavar="SECONDS",
        help="say whose messages have waited longer than this for their delivery; "
        "status 3 if any have",
    )
    parser.add_argument(
        "--read-files",
        action="store_true",
        help="read every file and compare its SHA-256, not its size alone",
    )
    parser.add_argument(
        "--no-files", action="store_true", help="look at the database only"
    )
    parser.add_argument(
        "--json", action="store_true", help="write one JSON object, for programs"
    )


def _audit(options: argparse.Namespace, settings: Settings) -> int:
    if options.late is not None and not options.late >= 0:
        raise KefuError("--late takes seconds, such as 60.")

    async def act(store: Store) -> Findings:
        return await _look(store, options, settings)

    findings = in_store(settings, act)
    if options.json:
        say(msgspec.json.encode(findings).decode())
    else:
        _tell(findings)
    if not findings.is_sound:
        return 1
    return LATE if findings.late else 0


async def _look(
    store: Store, options: argparse.Namespace, settings: Settings
) -> Findings:
    report = await _audited(store)
    files: FilesReport | None = None
    if not options.no_files:
        storage = open_files(settings)
        files = await audit_files(store, storage, reads=options.read_files)
    late: list[Late] = []
    names: dict[str, str] = {}
    if options.late is not None:
        late = await store.late(UnixMs(int(unix_ms() - options.late * 1_000)))
        names = {agent_participant(a.id): a.login for a in await store.agents()}
    counts = {str(kind): count for kind, count in report.counts.items()}
    for fault in files.faults if files else []:
        counts[str(fault.kind)] = counts.get(str(fault.kind), 0) + 1
    waiting = {str(each.whose) for each in late}
    return Findings(
        is_sound=not counts,
        conversations=report.conversations,
        messages=report.messages,
        without_digest=report.without_digest,
        files=files.files if files else None,
        file_bytes=files.bytes if files else None,
        faults=[*report.faults, *(files.faults if files else [])],
        counts=dict(sorted(counts.items())),
        late_s=options.late,
        late=late,
        names={who: name for who, name in names.items() if who in waiting},
    )


async def _audited(store: Store) -> AuditReport:
    total = 0
    # A damaged file is the audit's to name.
    with suppress(StoreUnavailable):
        total = (await store.measure(ConversationFilter())).messages
    with Progress("messages", total) as progress:
        return await store.audit(
            on_progress=lambda conversations, messages: progress.show(messages)
        )


def _tell(findings: Findings) -> None:
    """Write it for a person; never anybody's text."""
    for fault in findings.faults:
        say(str(fault))
    total = findings.total
    if total > len(findings.faults):
        say(f"… and {total - len(findings.faults):,} more")
    for kind, count in findings.counts.items():
        say(f"{kind}: {count:,}")
    for late in findings.late[:_LATE_SHOWN]:
        say(f"late: {_late_line(late, findings.names)}")
    if len(findings.late) > _LATE_SHOWN:
        say(f"late: … and {len(findings.late) - _LATE_SHOWN:,} more people")
    if findings.late_s is not None:
        count = sum(late.messages for late in findings.late)
        say(f"{count:,} messages have waited longer than {findings.late_s:g} s")
    seen = f"{findings.conversations:,} conversations, {findings.messages:,} messages"
    if findings.files:
        seen += f", {findings.files:,} files"
    if findings.without_digest:
        seen += f" ({findings.without_digest:,} older than digests)"
    say(f"{seen}: {'sound' if findings.is_sound else f'{total:,} faults'}")


def _late_line(late: Late, names: dict[str, str]) -> str:
    waited_s = (unix_ms() - late.oldest_at) // 1_000
    whose = "nobody yet, in the queue"
    if late.whose is not None:
        whose = names.get(late.whose) or f"visitor {late.whose}"
    return (
        f"{late.messages:,} messages for {whose} "
        f"({late.conversations:,} conversations, the oldest {waited_s:,} s)"
    )
