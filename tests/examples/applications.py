"""Serves an ASGI application by hypercorn, in a process of its own."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = 20.0
ROOT = Path(__file__).parents[2]


@contextmanager
def served(app: str, folder: Path, **environ: str) -> Iterator[str]:
    """Yield the URL of `module:name`, run in a folder; fails unless it ends well."""
    command = [sys.executable, "-m", "hypercorn", app, "--bind", "127.0.0.1:0"]
    known = {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | known | environ, stderr=subprocess.PIPE
    ) as process:
        try:
            yield _url_of(process)
        finally:
            process.terminate()
            process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def _url_of(process: "subprocess.Popen[bytes]") -> str:
    pipe, log = process.stderr, b""
    assert pipe is not None
    while not (found := re.search(rb"Running on (http://[\d.:]+)", log)):
        ready, _, _ = select.select([pipe], [], [], WAIT_S)
        chunk = os.read(pipe.fileno(), 65_536) if ready else b""
        assert chunk, log.decode()
        log += chunk
    return found[1].decode()
