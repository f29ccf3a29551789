"""Files that a command writes: readable by their owner alone, whole or not there."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kefu_core.errors import KefuError


@contextmanager
def opened_output(name: str) -> Iterator[BinaryIO]:
    """Open what to write to; a file appears under its name only when it is whole.

    `-` is standard output. Raises `KefuError` if it cannot be written.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    part = path.with_name(path.name + ".part")
    try:
        # Conversations are nobody's business but the operator's.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise KefuError(f"{name} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def write_private(path: Path, content: bytes, *, is_new: bool = False) -> None:
    """Write a small file. Raises `FileExistsError` if it is to be new, and is not."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if is_new else os.O_TRUNC)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
