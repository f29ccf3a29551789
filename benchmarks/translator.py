"""A translation service of this machine: quick, slow or failing, as it is told.

Run as `python -m benchmarks.translator MODE PORT`. Speaks LibreTranslate's protocol.
"""

import asyncio
import json
import sys

from benchmarks.ports import HOST

MODES = ("on", "slow", "failing")
QUICK_S, SLOW_S = 0.02, 2.0
_HEAD = "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


async def _serve(
    mode: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            fields = dict(
                line.split(": ", 1) for line in head.split("\r\n")[1:] if line
            )
            body = await reader.readexactly(int(fields["content-length"]))
            await asyncio.sleep(SLOW_S if mode == "slow" else QUICK_S)
            status, answer = answer_of(mode, body)
            encoded = json.dumps(answer).encode()
            writer.write(_HEAD.format(status, len(encoded)).encode() + encoded)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass  # Whoever asked has left.
    finally:
        writer.close()


def answer_of(mode: str, body: bytes) -> tuple[str, dict[str, object]]:
    """Return status and answer to a request."""
    if mode == "failing":
        return "503 Service Unavailable", {"error": "told to fail"}
    asked = json.loads(body)
    texts = [f"{text} [{asked['target']}]" for text in asked["q"]]
    return "200 OK", {"translatedText": texts}


async def _main(mode: str, port: int) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: _serve(mode, reader, writer), HOST, port
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
