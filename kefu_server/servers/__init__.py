"""The ASGI servers that `kefu serve` runs on, one file each, behind one contract.

Each takes connections from a socket of ours, speaks HTTP/1.1 and WebSocket and runs the
application on our event loop. When to start, to drain and to stop says
`kefu_server.serve`: no server's own runner stops in the order that keeps what was
promised.
"""

import importlib

from kefu_core.errors import ConfigurationError
from kefu_server.servers.contract import AsgiServer

SERVERS = ("hypercorn", "uvicorn", "granian")
"""Names as the setting `server` has them; the first is the default."""


def find_server(name: str) -> type[AsgiServer]:
    """Return the server of a name, ready to be made.

    Raises:
        ConfigurationError: It is not installed, or built differently from what kefu
            protects; says what to do.
    """
    try:
        module = importlib.import_module(f"kefu_server.servers.with_{name}")
    except ImportError as error:
        raise ConfigurationError(
            f"server = {name!r} needs {error.name}, which is not installed; run: "
            f"pip install 'kefu[{name}]'"
        ) from error
    server: type[AsgiServer] = module.load()
    return server
