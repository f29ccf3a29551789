"""Whether a server could listen on an address."""

import errno

from kefu_core.transports.sockets import open_listening_socket
from kefu_server.checks import Check, ok, problem
from kefu_server.settings import host_and_port

_SUBJECT = "port"
_FINDINGS = {
    errno.EADDRINUSE: "taken",
    errno.EACCES: "forbidden",
    errno.EADDRNOTAVAIL: "elsewhere",
}


def check_port(bind: str) -> Check:
    """Listen on `bind` for a moment, as the server would.

    Args:
        bind: An address and a port that the settings have found well-formed.
    """
    host, port = host_and_port(bind)
    try:
        open_listening_socket(host, port).close()
    except (OSError, OverflowError) as error:
        finding = _FINDINGS.get(getattr(error, "errno", None) or 0, "unusable")
        why = getattr(error, "strerror", None) or str(error)
        return problem(_SUBJECT, finding, bind=bind, host=host, why=why)
    return ok(_SUBJECT, "free", bind=bind)
