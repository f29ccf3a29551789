"""Transports by name: our own, and those that installed packages bring."""

from importlib import import_module
from importlib.metadata import entry_points

from kefu_core.abc.transports import Transport
from kefu_core.errors import ConfigurationError

GROUP = "kefu.transports"
_OWN = ("websocket", "longpoll", "tcp")


def find_transport(name: str) -> Transport:
    """Return a transport. Raises `ConfigurationError` for an unknown name."""
    if name in _OWN:
        found = import_module(f"kefu_core.transports.{name}").TRANSPORT
        assert isinstance(found, Transport), f"{name} is not a transport"
        return found
    for entry_point in entry_points(group=GROUP, name=name):
        loaded = entry_point.load()
        if not isinstance(loaded, Transport):
            raise ConfigurationError(
                f"The entry point {name!r} of {GROUP} is {type(loaded).__name__}, "
                "not a kefu_core.abc.transports.Transport object."
            )
        return loaded
    raise ConfigurationError(
        f"There is no transport {name!r}; there are {', '.join(transport_names())}. "
        f"A package adds one with an entry point in the group {GROUP}."
    )


def transport_names() -> list[str]:
    """Return the names of all transports that are installed."""
    others = {entry_point.name for entry_point in entry_points(group=GROUP)}
    return [*_OWN, *sorted(others - set(_OWN))]
