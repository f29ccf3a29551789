"""Whether a folder can be written, and whether files have a place."""

import os
import shutil
from pathlib import Path

from kefu_core.errors import KefuError
from kefu_server.checks import Check, ok, problem, warning
from kefu_server.settings import Settings
from kefu_server.storing import open_files

_LITTLE_BYTES = 1_000_000_000


def check_folder(path: Path) -> Check:
    """Look whether a folder may be written or made; makes nothing."""
    folder = path.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    facts = {"path": str(path), "folder": str(folder)}
    if not folder.is_dir():
        return problem("folder", "other", **facts)
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem("folder", "closed", **facts)
    free = shutil.disk_usage(folder).free
    facts["free"] = f"{free / 1_000_000_000:.1f}"
    if free < _LITTLE_BYTES:
        return warning("folder", "little", **facts)
    return ok("folder", "writable", **facts)


async def check_files(settings: Settings) -> Check:
    """Put a small file into the bucket, read it and delete it; or look at the disk."""
    if not settings.files.bucket:
        return check_folder(Path(settings.data_dir))
    facts = {"bucket": settings.files.bucket}
    try:
        why = await open_files(settings).problem()
    except KefuError as error:
        why = str(error)
    if why:
        return problem("files", "refused", why=why, **facts)
    return ok("files", "bucket", **facts)
