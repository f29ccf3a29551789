"""Transports by name: our own, and those that installed packages bring."""

from kefu_core.abc.transports import Transport
from kefu_core.plugins import Plugins

GROUP = "kefu.transports"
_OWN = {
    name: f"kefu_core.transports.{name}:TRANSPORT"
    for name in ("websocket", "longpoll", "tcp")
}
_ALL = Plugins("transport", _OWN, GROUP, Transport)  # type: ignore[type-abstract]


def find_transport(name: str) -> Transport:
    """Return a transport. Raises `ConfigurationError` for an unknown name."""
    return _ALL.find(name)


def transport_names() -> list[str]:
    """Return the names of all transports that are installed."""
    return _ALL.names()
