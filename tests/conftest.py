"""The event loops that tests marked `anyio` run on, and how long Hypothesis looks."""

import itertools
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from anyio import pytest_plugin
from hypothesis import HealthCheck, settings

from tests.databases import (
    database_url,  # noqa: F401
    fresh_database_url,  # noqa: F401
    mysql_server,  # noqa: F401
    postgres_server,  # noqa: F401
)
from tests.depth import IS_LONG

# Fixtures of every folder; pytest finds them by their names here.
from tests.dialects.watching import (
    every_statement_is_one_that_all_engines_take,  # noqa: F401
)
from tests.turns import browser, folder_of_workers, turn

_BACKENDS: list[Any] = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("trio", {}), id="trio"),
]
if sys.platform != "win32":
    _BACKENDS.insert(1, pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"))

# A busy machine is slow without being wrong, so no example has a deadline.
settings.register_profile(
    "kefu", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", parent=settings.get_profile("kefu"), max_examples=5000
)
settings.load_profile(os.environ.get("KEFU_HYPOTHESIS", "kefu"))


_LONGEST = (
    "e2e",
    "conformance",
    "faults",
    "docs",
    "benchmarks",
    "examples",
    "core/store",
)
_NO_SOCKETS = ("core/desk", "core/followers", "core/hub", "core/upkeep")
"""What is tested there meets no socket, and uvloop differs in nothing else."""
_ONE_LOOP = ("core/translators", "security")
"""What is tested there are tables of cells, and who may what is up to no loop."""
_WORKERS_MAX = 4
_CORES = os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores; with two more each test is slower by a third, and
    all of them are done a tenth sooner."""
    return min(_WORKERS_MAX, _CORES + 1)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is only the same again; begin with what takes long.

    So no worker is alone with that at the end. The long run leaves out nothing.
    """
    again = [] if IS_LONG else [item for item in items if _is_same_again(item)]
    if again:
        config.hook.pytest_deselected(items=again)
        left_out = set(again)
        items[:] = [item for item in items if item not in left_out]

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("alone") is not None:
            return 0
        folder = item.path.parent.relative_to(Path(__file__).parent).as_posix()
        return _LONGEST.index(folder) + 1 if folder in _LONGEST else len(_LONGEST) + 1

    items.sort(key=place)
    # Files with a browser are spread among the others, which run beside them.
    alone = [item for item in items if not place(item)]
    rest = [item for item in items if place(item)]
    seen = [item for item in rest if item.get_closest_marker("browser")]
    other = [item for item in rest if not item.get_closest_marker("browser")]
    items[:] = alone + _spread(_by_file(seen), _by_file(other))


def _is_same_again(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    loop = callspec.id if callspec is not None else ""
    folder = item.path.parent.relative_to(Path(__file__).parent).as_posix()
    is_uvloop = "uvloop" in loop.split("-")
    if folder in _NO_SOCKETS:
        return is_uvloop
    return folder in _ONE_LOOP and (is_uvloop or "trio" in loop.split("-"))


def _by_file(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    return [
        list(group) for _, group in itertools.groupby(items, lambda item: item.path)
    ]


def _spread(
    seen: list[list[pytest.Item]], other: list[list[pytest.Item]]
) -> list[pytest.Item]:
    """Return two files with a browser, one without, and so on; then the rest."""
    found: list[pytest.Item] = []
    while seen or other:
        for group in (*seen[:_CORES], *other[:1]):
            found += group
        seen, other = seen[_CORES:], other[1:]
    return found


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until this test may run; the wait is no part of its time."""
    folder = folder_of_workers(item.session.config._tmp_path_factory.getbasetemp())
    if folder is None:
        return (yield)
    with turn(folder, is_alone=item.get_closest_marker("alone") is not None):
        if item.get_closest_marker("browser") is None:
            return (yield)
        # With more browsers than cores, pages wait for each other for too long.
        with browser(folder, _CORES):
            return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Let no test fail for the one before it.

    Where the end of a loop is interrupted, by a time-out for example, anyio keeps the
    runner and gives it to the next test, which would hear only that it is closed.
    """
    try:
        return (yield)
    finally:
        if not pytest_plugin._runner_leases:
            pytest_plugin._current_runner = pytest_plugin._runner_stack = None


@pytest.fixture(params=_BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Each loop in turn; a folder whose code needs asyncio overrides this."""
    return request.param
