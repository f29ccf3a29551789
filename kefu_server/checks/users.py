"""Whether a user of the system exists, for a server that root sets up."""

import pwd

from kefu_server.checks import Check, ok, problem


def check_user(name: str) -> Check:
    """Look a user of the system up."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return problem("user", "unknown", name=name)
    return ok("user", "known", name=name)
