"""`kefu backup` and `kefu restore`: everything in one file, and back.

Exit status of a backup: 0 whole; 1 nothing was written; 3 whole, and files that rows
name were not there or not what was sent.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

import anyio

from kefu_core.errors import ConfigurationError, KefuError
from kefu_core.node import unix_ms
from kefu_server.backups.archive import Manifest, read_manifest
from kefu_server.backups.restoring import RestoreReport, restore_backup
from kefu_server.backups.writing import BackupReport, write_backup
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.outfiles import opened_output
from kefu_server.output import complain, say
from kefu_server.progress import Progress
from kefu_server.settings import Settings
from kefu_server.versions import installed_version

INCOMPLETE = 3
_SHOWN = 20


def add_backing(commands: Commands) -> None:
    """Add `kefu backup` and `kefu restore`."""
    backup = add_command(
        commands,
        "backup",
        _backup,
        "write everything of this installation to a file, while the server runs",
    )
    backup.add_argument(
        "target",
        metavar="FILE|DIR",
        help="the file to write, or a folder for one named by the time; - for a pipe",
    )
    backup.add_argument(
        "--with-secrets",
        action="store_true",
        help="also the secret that signs visitors' tokens, passwords of the settings, "
        "and the keys for translation",
    )
    backup.add_argument(
        "--no-files",
        action="store_true",
        help="leave out the files that people sent, for example because a bucket "
        "keeps them",
    )
    restore = add_command(
        commands,
        "restore",
        _restore,
        "read a backup into an empty database; stop the server before",
    )
    restore.add_argument("file", metavar="FILE", type=Path)
    restore.add_argument(
        "--replace",
        action="store_true",
        help="put away what is there, where it is not empty",
    )
    restore.add_argument(
        "--check",
        action="store_true",
        help="read the whole backup, compare all digests, and change nothing",
    )


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    target = options.target
    if target.endswith(os.sep) and not Path(target).is_dir():
        raise ConfigurationError(f"{target}: there is no such folder. Make it first.")
    if target != "-" and Path(target).is_dir():
        moment = datetime.fromtimestamp(unix_ms() / 1000, UTC)
        target = str(Path(target) / f"kefu-{moment:%Y%m%d-%H%M%S}.tar")

    async def run() -> BackupReport:
        with opened_output(target) as file, Progress("rows and files", 0) as progress:
            return await write_backup(
                settings,
                file,
                kefu=installed_version(),
                with_secrets=options.with_secrets,
                with_files=not options.no_files,
                on_done=progress.show,
            )

    report = anyio.run(run)
    _name("was not there", report.gone)
    _name("is not what was sent; the backup has it as it is", report.changed)
    if target != "-":
        say(
            f"Wrote {report.rows['conversation']:,} conversations with "
            f"{report.rows['message']:,} messages and {report.files:,} files to "
            f"{target}."
        )
        if not options.with_secrets:
            say(
                "It has no secrets: keep the secret of this server elsewhere, or every "
                "visitor becomes a new one after a restore (--with-secrets)."
            )
    return INCOMPLETE if report.gone or report.changed else 0


def _name(what: str, keys: list[str]) -> None:
    for key in keys[:_SHOWN]:
        complain(f"file {key} {what}")
    if len(keys) > _SHOWN:
        complain(f"… and {len(keys) - _SHOWN:,} more")


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    if options.check:
        manifest = read_manifest(options.file)
        say(f"{options.file} is whole: {_content(manifest)}.")
        return 0

    async def run() -> RestoreReport:
        with Progress("rows and files", 0) as progress:

            def on_checked(manifest: Manifest) -> None:
                rows = sum(table.rows for table in manifest.tables.values())
                progress.show(0, rows + _files_in(manifest))

            return await restore_backup(
                settings,
                options.file,
                replaces=options.replace,
                on_checked=on_checked,
                on_done=progress.show,
            )

    if options.file.is_dir():
        raise KefuError(f"{options.file} is a folder; name the backup itself.")
    report = anyio.run(run)
    say(f"Restored {_content(report.manifest)}.")
    for each in report.put_away:
        say(f"What was there before is now {each}; delete it once all is well.")
    for each in report.notes:
        say(f"What the backup says of settings is in {each}.")
    if not report.has_secret:
        say(
            "The backup has no secret: unless you put back data_dir/secret before the "
            "start, every visitor becomes a new one."
        )
    if not report.manifest.has_files:
        say("The backup has no files; bring them back, then run: kefu audit")
    say(
        "Search is made anew when the server starts; open pages fetch everything again."
    )
    return 0


def _files_in(manifest: Manifest) -> int:
    return sum(name.startswith("files/") for name in manifest.members)


def _content(manifest: Manifest) -> str:
    tables = manifest.tables
    moment = datetime.fromtimestamp(manifest.began_at / 1000, UTC)
    return (
        f"{tables['conversation'].rows:,} conversations with "
        f"{tables['message'].rows:,} messages and {_files_in(manifest):,} files, as "
        f"they were at {moment:%Y-%m-%d %H:%M:%S} UTC"
    )
