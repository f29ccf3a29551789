"""Transports by name."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from kefu_core import plugins
from kefu_core.errors import ConfigurationError
from kefu_core.transports.registry import GROUP, find_transport, transport_names

PIGEON = find_transport("tcp")
"""Another package's transport, for these tests."""
NOT_A_TRANSPORT = object()


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints(
        EntryPoint(name, f"{__name__}:{value}", GROUP)
        for name, value in (
            ("pigeon", "PIGEON"),
            ("stone", "NOT_A_TRANSPORT"),
            ("websocket", "NOT_A_TRANSPORT"),
        )
    )

    def entry_points(**wanted: Any) -> EntryPoints:
        return found.select(**wanted)

    monkeypatch.setattr(plugins, "entry_points", entry_points)


@pytest.mark.parametrize("name", ["websocket", "longpoll", "tcp"])
def test_our_own_are_there_without_being_installed(name: str) -> None:
    transport = find_transport(name)
    assert transport.name == name
    assert transport is find_transport(name)
    assert bool(transport.path) == (name != "tcp")


def test_no_two_transports_dial_the_same_scheme() -> None:
    schemes = [s for name in transport_names() for s in find_transport(name).schemes]
    assert len(schemes) == len(set(schemes))


@pytest.mark.usefixtures("_installed")
def test_another_package_brings_one_by_an_entry_point() -> None:
    assert find_transport("pigeon") is PIGEON
    assert transport_names() == ["websocket", "longpoll", "tcp", "pigeon", "stone"]


@pytest.mark.usefixtures("_installed")
def test_our_own_names_cannot_be_taken() -> None:
    assert find_transport("websocket") is not NOT_A_TRANSPORT


@pytest.mark.usefixtures("_installed")
def test_what_is_no_transport_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"'stone'.*object"):
        find_transport("stone")


@pytest.mark.usefixtures("_installed")
def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'fax'.*websocket, longpoll, tcp, pi"
    ):
        find_transport("fax")
