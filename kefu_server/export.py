"""Exports as the command line and the routes offer them: names and types of files."""

import re
from datetime import UTC, datetime

from kefu_core.abc.archive import ConversationFilter
from kefu_core.types import UnixMs
from kefu_core.upkeep.export import ExportFormat, Selection, export

__all__ = [
    "MEDIA_TYPES",
    "ExportFormat",
    "Selection",
    "export",
    "file_name",
    "subject_of",
]

MEDIA_TYPES = {
    ExportFormat.JSONL: "application/jsonl; charset=utf-8",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.HTML: "text/html; charset=utf-8",
}
"""A browser must download these (`Content-Disposition: attachment`), not show them."""


def subject_of(selection: Selection) -> str:
    """Return what an export is of, in a few words."""
    if not isinstance(selection, ConversationFilter):
        return f"conversation-{selection}"
    visitor = selection.visitors[0] if selection.visitors else None
    parts = ["conversations", visitor, selection.status, selection.label]
    return "-".join(str(part) for part in parts if part)


def file_name(selection: Selection, format: ExportFormat, at: UnixMs) -> str:
    """Return a name for the file: letters, digits and dashes only."""
    subject = subject_of(selection)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", subject).strip("-")[:80]
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"kefu-{plain}-{moment:%Y%m%d-%H%M%S}.{format.value}"
