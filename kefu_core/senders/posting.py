"""Posts to URLs that people have chosen. Needs `httpx`."""

from collections.abc import Mapping, Sequence

from kefu_core.abc.outgoing import NotSent, Poster
from kefu_core.senders.outbound import AddressRefused, NotReached, Outbound

TIMEOUT_S = 10.0
"""One request in all: name, connection, answer."""


class HttpPoster(Poster):
    """Posts, and looks at the status alone."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        """Take networks that may be reached although they are not public."""
        self._outbound = Outbound(allow)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            answer = await self._outbound.request(
                "POST",
                url,
                content=body,
                headers={"user-agent": "kefu-webhook/1", **headers},
                # Only the status counts: of the answer itself nothing is read.
                bytes_max=0,
                timeout_s=TIMEOUT_S,
            )
        except AddressRefused as error:
            hint = "The setting webhooks.allow can allow it."
            raise NotSent(f"{error} {hint}", is_final=True) from error
        except NotReached as error:
            raise NotSent(error.text, is_final=error.is_final) from error
        status = answer.status
        if 300 <= status < 400:
            raise NotSent(f"It answered {status}; nothing is followed.", status=status)
        if not 200 <= status < 300:
            raise NotSent(f"It answered {status}.", status=status)
        return status
