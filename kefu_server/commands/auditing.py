"""`kefu audit`: whether what is stored is sound.

Exit status: 0 sound; 1 something is wrong; 3 sound, and messages wait for their
delivery longer than `--late` allows, or have done so within `--days`.
"""

import argparse
from contextlib import suppress

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import LATE_MS, AuditReport, Fault, Late, LateDelivery
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError, StoreUnavailable
from kefu_core.ids import agent_participant
from kefu_core.node import unix_ms
from kefu_core.types import ConversationId, ParticipantId, UnixMs
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
_DAY_MS = 86_400_000


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
    """What still waits."""
    late_days: float
    late_deliveries: list[LateDelivery]
    """What has waited and was delivered, within these days."""
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
        help="say whose messages wait longer than this for their delivery, and whose "
        "were delivered so late; status 3 if there are any",
    )
    parser.add_argument(
        "--days",
        type=float,
        default=1.0,
        help="so far back --late looks at what was delivered (1)",
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
    if not 0 < options.days < 1e5:
        raise KefuError("--days takes days, such as 7.")

    async def act(store: Store) -> Findings:
        return await _look(store, options, settings)

    findings = in_store(settings, act)
    if options.json:
        say(msgspec.json.encode(findings).decode())
    else:
        _tell(findings)
    if not findings.is_sound:
        return 1
    return LATE if findings.late or findings.late_deliveries else 0


async def _look(
    store: Store, options: argparse.Namespace, settings: Settings
) -> Findings:
    report = await _audited(store)
    files: FilesReport | None = None
    if not options.no_files:
        storage = open_files(settings)
        files = await audit_files(store, storage, reads=options.read_files)
    late: list[Late] = []
    deliveries: list[LateDelivery] = []
    names: dict[str, str] = {}
    if options.late is not None:
        now, late_ms = unix_ms(), int(options.late * 1_000)
        late = await store.late(UnixMs(now - late_ms))
        deliveries = await store.late_deliveries(
            max(late_ms, LATE_MS), UnixMs(int(now - options.days * _DAY_MS))
        )
        names = {agent_participant(a.id): a.login for a in await store.agents()}
    counts = {str(kind): count for kind, count in report.counts.items()}
    for fault in files.faults if files else []:
        counts[str(fault.kind)] = counts.get(str(fault.kind), 0) + 1
    waiting = {each.whose for each in late} | {each.whose for each in deliveries}
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
        late_days=options.days,
        late_deliveries=deliveries,
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
    if findings.late_s is not None:
        _tell_late(findings, findings.late_s)
    seen = f"{findings.conversations:,} conversations, {findings.messages:,} messages"
    if findings.files:
        seen += f", {findings.files:,} files"
    if findings.without_digest:
        seen += f" ({findings.without_digest:,} older than digests)"
    say(f"{seen}: {'sound' if findings.is_sound else f'{total:,} faults'}")


def _tell_late(findings: Findings, late_s: float) -> None:
    names = findings.names
    _say_some("late", [_waiting_line(late, names) for late in findings.late])
    deliveries = [_delivered_line(late, names) for late in findings.late_deliveries]
    _say_some("delivered late", deliveries)
    count = sum(late.messages for late in findings.late)
    say(f"{count:,} messages have waited longer than {late_s:g} s")
    count = sum(late.messages for late in findings.late_deliveries)
    here = sum(late.here for late in findings.late_deliveries)
    kept_s = max(late_s, LATE_MS / 1_000)
    say(
        f"{count:,} messages came after more than {kept_s:g} s, {here:,} of them "
        f"while connected ({findings.late_days:g} days)"
    )


def _say_some(what: str, lines: list[str]) -> None:
    for line in lines[:_LATE_SHOWN]:
        say(f"{what}: {line}")
    if len(lines) > _LATE_SHOWN:
        say(f"{what}: … and {len(lines) - _LATE_SHOWN:,} more people")


def _waiting_line(late: Late, names: dict[str, str]) -> str:
    waited_s = (unix_ms() - late.oldest_at) // 1_000
    return (
        f"{late.messages:,} messages for {_whose(late.whose, names)} "
        f"({late.conversations:,} conversations, the oldest {waited_s:,} s)"
        f"{_where(late.some, late.conversations)}"
    )


def _delivered_line(late: LateDelivery, names: dict[str, str]) -> str:
    here = "none of them while connected"
    if late.here:
        longest_s = late.longest_here_ms // 1_000
        here = f"{late.here:,} of them while connected, the longest {longest_s:,} s"
    return (
        f"{late.messages:,} messages for {_whose(late.whose, names)} "
        f"({late.conversations:,} conversations, the longest "
        f"{late.longest_ms // 1_000:,} s; {here})"
        f"{_where(late.some, late.conversations)}"
    )


def _whose(whose: ParticipantId | None, names: dict[str, str]) -> str:
    if whose is None:
        return "nobody yet, in the queue"
    return names.get(whose) or f"visitor {whose}"


def _where(some: list[ConversationId], count: int) -> str:
    """Name the first conversations."""
    more = ", …" if len(some) < count else ""
    return ": " + ", ".join(map(str, some)) + more
