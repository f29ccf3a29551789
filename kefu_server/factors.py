"""The second factor: codes of an app that change every half minute (TOTP).

The key of an agent is made from the installation's secret and a random nonce, and only
the nonce is in the database: a copy of the database makes no codes, and neither does a
stored recovery code, which is a keyed hash. Every code is good once. Guesses are
counted by whoever asks, as those of passwords are.

Source: RFC 6238; RFC 4226 5.3, 7.3 and 7.4.
"""

import base64
import hashlib
import hmac
import io
import secrets
from collections.abc import Callable
from urllib.parse import quote, urlencode

import msgspec
import segno

from kefu_core.abc.records import Records
from kefu_core.errors import Conflict, Unauthorized
from kefu_core.model import Agent
from kefu_core.records import SecondFactor
from kefu_core.types import UnixMs

STEP_S = 30
DIGITS = 6
_KEY_BYTES = 20
"""As long as the hash is: RFC 4226, 4, R6."""
CODES = 10
_CODE_CHARS = 10
"""Of base32, 50 bits: nobody guesses one through the delays of logins."""
WRONG = "The code is wrong, or was used already; wait for the next one."


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What an app has to be told once."""

    secret: str
    """The key as people type it, in groups of four."""
    uri: str
    qr: str
    """The same as a picture, SVG."""


def code_at(key: bytes, step: int, digits: int = DIGITS) -> str:
    """Return the code of one time step.

    Source: RFC 4226, 5.3; RFC 6238, 4.2.
    """
    digest = hmac.digest(key, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


class SecondFactors:
    """Offers, confirms and checks codes; one record for each agent who has any."""

    def __init__(
        self, store: Records, secret: bytes, now_ms: Callable[[], int], *, place: str
    ) -> None:
        """Take the installation's secret, the wall clock, and what apps call it."""
        self._store = store
        self._key = hmac.digest(secret, b"kefu second factor", hashlib.sha256)
        self._now_ms = now_ms
        self._place = place

    async def find(self, agent_id: int) -> SecondFactor | None:
        """Return what an agent has switched on."""
        found = await self._store.find_record(SecondFactor, agent_id)
        return found if found is not None and found.confirmed_at else None

    async def offer(self, agent: Agent) -> Offer:
        """Make a new key for an agent to put into an app; `confirm` switches it on.

        Raises:
            Conflict: There is one in use; it is switched off first.
        """
        known = await self._store.find_record(SecondFactor, agent.id)
        if known is not None and known.confirmed_at:
            raise Conflict("Two-factor is on already; switch it off first.")
        factor = SecondFactor(
            id=agent.id,
            nonce=secrets.token_hex(16),
            revision=known.revision + 1 if known else 1,
        )
        await self._store.put_records(factor)
        key = base64.b32encode(self._key_of(factor)).decode()
        name = quote(f"{self._place}:{agent.login}")
        uri = f"otpauth://totp/{name}?" + urlencode(
            {"secret": key, "issuer": self._place}, quote_via=quote
        )
        groups = [key[at : at + 4] for at in range(0, len(key), 4)]
        return Offer(secret=" ".join(groups), uri=uri, qr=_picture(uri))

    async def confirm(self, agent: Agent, code: str) -> list[str]:
        """Switch on what was offered; return the recovery codes, never shown again.

        Raises:
            Unauthorized: The code is not that of the key.
            Conflict: It is on already, or somebody else has changed it just now.
        """
        factor = await self._store.find_record(SecondFactor, agent.id)
        if factor is None or factor.confirmed_at:
            raise Conflict("There is no key to confirm; begin again.")
        step = self._step_of(factor, code)
        if step is None:
            raise Unauthorized(WRONG)
        shown = [_new_code() for _ in range(CODES)]
        changed = msgspec.structs.replace(
            factor,
            confirmed_at=UnixMs(self._now_ms()),
            last_step=step,
            codes=tuple(self._hash(agent.id, code) for code in shown),
        )
        if not await self._change(factor, changed):
            raise Conflict("It was changed at the same moment; begin again.")
        return shown

    async def check(self, factor: SecondFactor, code: str) -> bool:
        """Use up a code. Returns whether it was a recovery code.

        Raises:
            Unauthorized: It is wrong, or was used.
        """
        step = self._step_of(factor, code)
        if step is not None:
            changed = msgspec.structs.replace(factor, last_step=step)
        else:
            hashed = self._hash(factor.id, code)
            left = tuple(
                each for each in factor.codes if not hmac.compare_digest(each, hashed)
            )
            if len(left) == len(factor.codes):
                raise Unauthorized(WRONG)
            changed = msgspec.structs.replace(factor, codes=left)
        # Of two who show the same code at once, one has changed it.
        if not await self._change(factor, changed):
            raise Unauthorized(WRONG)
        return step is None

    async def remove(self, agent_id: int) -> None:
        """Switch it off."""
        await self._store.delete_records(SecondFactor, [agent_id])

    async def _change(self, before: SecondFactor, after: SecondFactor) -> bool:
        after = msgspec.structs.replace(after, revision=before.revision + 1)
        return await self._store.change_record(
            after, when={"revision": before.revision}
        )

    def _key_of(self, factor: SecondFactor) -> bytes:
        told = f"{factor.id} {factor.nonce}".encode()
        return hmac.digest(self._key, told, hashlib.sha256)[:_KEY_BYTES]

    def _step_of(self, factor: SecondFactor, code: str) -> int | None:
        """Return which step's code it is: of now, of the one before or after."""
        code = code.replace(" ", "")
        now = self._now_ms() // (STEP_S * 1000)
        key, found = self._key_of(factor), None
        for step in (now - 1, now, now + 1):
            if step > factor.last_step and hmac.compare_digest(
                code_at(key, step).encode(), code.encode()
            ):
                found = step
        return found

    def _hash(self, agent_id: int, code: str) -> str:
        plain = code.replace("-", "").replace(" ", "").casefold()
        told = f"{agent_id} code {plain}".encode()
        return hmac.digest(self._key, told, hashlib.sha256).hex()


def _new_code() -> str:
    """Return a recovery code such as `k3vq2-77amx`."""
    text = base64.b32encode(secrets.token_bytes(_CODE_CHARS)).decode().lower()
    half = _CODE_CHARS // 2
    return f"{text[:half]}-{text[half:_CODE_CHARS]}"


def _picture(uri: str) -> str:
    out = io.BytesIO()
    # Dark on light also where the page is dark: cameras want it so.
    segno.make(uri, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, border=4, scale=4, light="#fff", dark="#000"
    )
    return out.getvalue().decode()
