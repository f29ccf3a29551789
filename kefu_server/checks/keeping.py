"""What the server keeps to itself on this machine: its folder, secret and keys."""

import os
import stat
from pathlib import Path

from kefu_core.errors import ConfigurationError
from kefu_server.checks import Check, ok, problem, warning
from kefu_server.settings import SECRET_CHARS_MIN, Settings
from kefu_server.translating import make_translators


def check_data(folder: Path) -> Check:
    """Look whether the folder of data can be used, and by nobody else."""
    facts = {"folder": str(folder)}
    if not folder.exists():
        return warning("data", "missing", **facts)
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return problem("data", "unwritable", **facts)
    if stat.S_IMODE(folder.stat().st_mode) & 0o007:
        return warning("data", "open", **facts)
    return ok("data", "private", **facts)


def check_secret(settings: Settings, *, has_visitors: bool) -> Check:
    """Look at what signs the visitors' tokens, without making it."""
    if settings.secret:
        short = len(settings.secret.reveal()) < SECRET_CHARS_MIN
        return (
            problem("secret", "short", path="secret") if short else ok("secret", "set")
        )
    path = Path(settings.secret_file or Path(settings.data_dir) / "secret")
    facts = {"path": str(path)}
    if not path.exists():
        if settings.secret_file or has_visitors:
            return problem("secret", "lost", **facts)
        return ok("secret", "new", **facts)
    try:
        if path.stat().st_mode & 0o077:
            return problem("secret", "readable", **facts)
        if len(path.read_text("utf-8").strip()) < SECRET_CHARS_MIN:
            return problem("secret", "short", **facts)
    except (OSError, UnicodeDecodeError):
        return problem("secret", "unreadable", **facts)
    return ok("secret", "kept", **facts)


def check_keys(settings: Settings) -> Check | None:
    """Look at the file of keys for translation; None: there is nothing to say."""
    name = settings.translation.file
    if not name:
        return ok("translation", "off")
    try:
        is_empty = not make_translators(settings)
        is_open = bool(Path(name).stat().st_mode & 0o077)
    except (ConfigurationError, OSError) as error:
        return problem("translation", "file", why=str(error))
    if is_open:
        return warning("translation", "readable", file=name)
    return problem("translation", "empty", file=name) if is_empty else None
