"""Which kefu this is."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("kefu")
    except PackageNotFoundError:
        return "(not installed)"
