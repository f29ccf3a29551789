"""`kefu serve` and `kefu demo`."""

import argparse
from pathlib import Path

import msgspec

from kefu_server.commands.parsing import Commands, add_command
from kefu_server.servers import SERVERS
from kefu_server.settings import Settings


def add_serving(commands: Commands) -> None:
    """Add the commands that run a server."""
    serve = add_command(commands, "serve", _serve, "run the server")
    serve.add_argument(
        "--server", choices=SERVERS, help="the ASGI server (default: the setting)"
    )
    demo = add_command(commands, "demo", _demo, "run the server with a sample shop")
    demo.add_argument("--port", type=int, default=8080, help="port of the server")
    demo.add_argument("--shop-port", type=int, default=8081, help="port of the shop")
    demo.add_argument("--data-dir", type=Path, default=Path("demo-data"))


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    # Imported here: the other commands need neither an ASGI server nor the hub.
    from kefu_server.serve import run

    if options.server:
        settings = msgspec.structs.replace(settings, server=options.server)
    run(settings)
    return 0


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from kefu_server.demo.run import run_demo

    run_demo(options.data_dir, options.port, options.shop_port)
    return 0
