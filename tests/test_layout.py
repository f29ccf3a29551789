"""The house keeps its shape: floors, mirrors, and what the wheel holds."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "kefu_core"
TESTS = ROOT / "tests"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# `types` has no behaviour and `abc` is tested by its implementations.
MIRRORED = ("errors", "ids", "limits", "counts", "serving", "model", "text", "folding")
MIRRORED += ("records", "site", "origins", "wholeness")
MIRRORED += ("protocol", "hub")


def _mirrored_modules() -> list[Path]:
    found: list[Path] = []
    for name in MIRRORED:
        found += [CORE / f"{name}.py"] if (CORE / f"{name}.py").exists() else []
        found += sorted((CORE / name).rglob("*.py"))
    return [path for path in found if path.name != "__init__.py"]


def _mirror(path: Path) -> Path:
    inside = path.relative_to(CORE)
    return TESTS / "core" / inside.with_name(f"test_{inside.name}")


def test_every_module_of_the_lower_floors_has_its_test_file() -> None:
    missing = {
        path.relative_to(ROOT).as_posix()
        for path in _mirrored_modules()
        if not _mirror(path).exists()
    }
    excused = set(CONFIG["tool"]["kefu"]["layout"]["untested"])
    assert missing <= excused, "write the test file"
    assert excused <= missing, "no longer needed: take it off the list"


def test_every_mirrored_test_file_has_its_module() -> None:
    known = {_mirror(path) for path in CORE.rglob("*.py")}
    # A long one has parts: test_server_requests.py.
    part = re.compile(r"(?<=[^_])_[a-z]+\.py$")
    orphans = {
        path
        for name in ("protocol", "hub")
        for path in (TESTS / "core" / name).rglob("test_*.py")
        if path not in known and path.with_name(part.sub(".py", path.name)) not in known
    }
    assert not orphans


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_the_floors_hold() -> None:
    run = subprocess.run(
        [_tool("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    folders = ("kefu_core", "kefu_server", "benchmarks", "tests", "docs")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".js", ".css", ".html", ".md"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


def _built(kind: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d"]
    subprocess.run(
        [*command, str(folder)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (path,) = folder.glob("kefu-*.whl" if kind == "wheel" else "kefu-*.tar.gz")
    return path


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from this tree."""
    return _names(_built("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


def test_the_wheel_holds_all_that_the_packages_need(wheel: set[str]) -> None:
    for package in ("kefu_core", "kefu_server"):
        assert f"{package}/py.typed" in wheel
        files = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files - wheel == set()
    assert any(n.startswith("kefu_core/store/migrations/versions/") for n in wheel)
    assert "kefu_server/web/loader.js" in wheel
    for name in ("systemd/kefu.service", "nginx/kefu.conf", "caddy/Caddyfile"):
        assert f"kefu_server/deploy/{name}" in wheel


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops - {"kefu_core", "kefu_server"} == {
        name for name in tops if name.endswith(".dist-info")
    }


def test_the_sdist_makes_the_same_wheel_and_brings_its_tests(
    wheel: set[str], tmp_path: Path
) -> None:
    sdist = _built("sdist", ROOT, tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert _names(_built("wheel", source, tmp_path)) == wheel
    for name in ("Makefile", "tools/environment.sh", "tests/conftest.py", "Dockerfile"):
        assert (source / name).exists(), name
