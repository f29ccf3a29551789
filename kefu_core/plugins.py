"""What is found by name: our own, and what installed packages bring."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from kefu_core.errors import ConfigurationError

T = TypeVar("T")


class Plugins(Generic[T]):
    """One kind of thing that a name in the settings stands for."""

    def __init__(self, what: str, own: dict[str, str], group: str, kind: type[T]):
        """Take a word for it, and where it is.

        Args:
            what: Such as `transport`.
            own: By name, where ours is: `package.module:ATTRIBUTE`.
            group: Of entry points, in which other packages name theirs.
            kind: What each of them is an object of.
        """
        self._what = what
        self._own = own
        self._group = group
        self._kind = kind

    def find(self, name: str) -> T:
        """Return one. Raises `ConfigurationError` for an unknown name."""
        if name in self._own:
            module, _, attribute = self._own[name].partition(":")
            found = getattr(import_module(module), attribute)
            assert isinstance(found, self._kind), f"{name} is not a {self._what}"
            return found
        for entry_point in entry_points(group=self._group, name=name):
            loaded = entry_point.load()
            if not isinstance(loaded, self._kind):
                wanted = f"{self._kind.__module__}.{self._kind.__qualname__}"
                raise ConfigurationError(
                    f"The entry point {name!r} of {self._group} is "
                    f"{type(loaded).__name__}, not a {wanted} object."
                )
            return loaded
        raise ConfigurationError(
            f"There is no {self._what} {name!r}; there are {', '.join(self.names())}. "
            f"A package adds one with an entry point in the group {self._group}."
        )

    def names(self) -> list[str]:
        """Return the names of all that are installed."""
        others = {entry_point.name for entry_point in entry_points(group=self._group)}
        return [*self._own, *sorted(others - set(self._own))]
