"""The pages' sources: their rules, their weight, their types and their own tests."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kefu_core.protocol.schema import typescript
from kefu_server.pages import Pages
from kefu_server.static import LOADER, LOADER_PARTS, StaticFiles, squeezed

ROOT = Path(__file__).parents[2]
WEB = ROOT / "kefu_server" / "web"
MODULES = sorted(WEB.rglob("*.js"))

LOADER_BYTES_MAX = 6 * 1024
WIDGET_BYTES_MAX = 35 * 1024
WIDGET_FILES_MAX = 25
LATER_BYTES_MAX = 6 * 1024
LINES_MAX = 250

FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser"
    r"|createContextualFragment|\beval\(|new Function|setAttribute\(\"style\""
)
FLOORS = {
    "client": {"client"},
    "ui": {"ui"},
    "widget": {"widget", "client", "ui"},
    "visit": {"visit", "widget", "ui"},
    "console": {"console", "client", "ui"},
    "setup": {"setup", "ui"},
}


def _zipped(path: Path) -> int:
    return len(gzip.compress(squeezed(path), 9, mtime=0))


def _widget_files() -> list[Path]:
    html = Pages(StaticFiles(WEB), ())._head("widget")
    names = re.findall(r"/static/\w+/([\w./-]+)", html)
    # Not preloaded: the shared style, and the larger of the languages, one of which
    # is fetched.
    names += ["ui/base.css", "ui/locales/zh-CN.js"]
    return [WEB / name for name in dict.fromkeys(names)]


def test_the_loader_is_small() -> None:
    files = StaticFiles(WEB)
    served = files.text(LOADER).encode()
    assert len(gzip.compress(served, 9, mtime=0)) <= LOADER_BYTES_MAX
    assert all(files.text(name) in files.text(LOADER) for name in LOADER_PARTS)


def test_the_opened_widget_is_small() -> None:
    files = _widget_files()
    assert WEB / "client" / "session.js" in files
    assert sum(map(_zipped, files)) <= WIDGET_BYTES_MAX
    assert len(files) <= WIDGET_FILES_MAX


def test_what_is_loaded_once_the_chat_is_there_is_small() -> None:
    files = [
        WEB / "client" / f"{name}.js" for name in ("longpoll", "requests", "probe")
    ]
    assert not set(files) & set(_widget_files())
    assert sum(map(_zipped, files)) <= LATER_BYTES_MAX


def test_frames_are_declared_as_the_structs_are() -> None:
    declared = (WEB / "client" / "frames.d.ts").read_text(encoding="utf-8")
    assert declared == typescript(), (
        "write it again: python -m kefu_core.protocol.schema "
        "kefu_server/web/client/frames.d.ts"
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_text_never_becomes_markup_and_files_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not FORBIDDEN.search(text)
    assert text.count("\n") <= LINES_MAX


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.css")), ids=lambda p: p.name)
def test_styles_fetch_nothing_from_other_hosts(path: Path) -> None:
    assert not re.search(r"https?:|//[a-z]", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("floor", FLOORS)
def test_modules_import_only_what_their_floor_may(floor: str) -> None:
    for path in sorted((WEB / floor).rglob("*.js")):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"""(?:from|import)\s+["']([^"']+)["']""", text):
            assert target.startswith("."), f"{path.name} imports {target}"
            found = (path.parent / target).resolve().relative_to(WEB)
            assert found.parts[0] in FLOORS[floor], f"{path.name} imports {target}"


@pytest.mark.skipif(
    not (ROOT / "node_modules" / ".bin" / "tsc").exists(), reason="needs npm install"
)
def test_what_is_squeezed_says_the_same(tmp_path: Path) -> None:
    for folder in ("whole", "squeezed"):
        (tmp_path / folder).mkdir()
    for number, path in enumerate(MODULES):
        name = f"{number}-{path.parent.name}-{path.name}"
        (tmp_path / "whole" / name).write_bytes(path.read_bytes())
        (tmp_path / "squeezed" / name).write_bytes(squeezed(path))
    run = subprocess.run(
        ["node", str(Path(__file__).with_name("squeezed.mjs")), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_client_keeps_its_promises() -> None:
    files = [str(path) for path in sorted(Path(__file__).parent.glob("*.test.js"))]
    run = subprocess.run(
        ["node", "--test", *files], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.skipif(
    not (ROOT / "node_modules" / ".bin" / "tsc").exists(), reason="needs npm install"
)
def test_the_types_hold() -> None:
    run = subprocess.run(
        ["node_modules/.bin/tsc", "--noEmit", "-p", "jsconfig.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
