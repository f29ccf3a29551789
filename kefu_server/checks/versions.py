"""Whether this program has what it needs: versions, and libraries it protects."""

import importlib.util
import platform

from kefu_core.errors import ConfigurationError
from kefu_server.checks import Check, ok, problem, warning
from kefu_server.servers import find_server
from kefu_server.settings import Settings
from kefu_server.versions import installed_version


def check_program(settings: Settings) -> list[Check]:
    """Look at the versions and at what settings ask for beyond the base."""
    facts = {"kefu": installed_version(), "python": platform.python_version()}
    checks = [ok("program", "current", **facts)]
    try:
        find_server(settings.server)
    except ConfigurationError as error:
        extra = "server" if settings.server == "hypercorn" else settings.server
        more = {"why": str(error), "extra": extra}
        checks = [problem("program", "server", **more, **facts)]
    if importlib.util.find_spec("PIL") is None:
        checks.append(warning("program", "pictures", **facts))
    return checks
