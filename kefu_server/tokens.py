"""Signed tokens: who a visitor is, and which browser an agent has used before.

Both are JWTs signed with keys derived from the installation's secret, one key for each
purpose, so that one kind can never be taken for the other. Nothing is stored.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

import jwt
import msgspec

from kefu_core.desk.visiting import QuotedWord
from kefu_core.errors import Unauthorized
from kefu_core.types import UnixMs

_ALGORITHM = "HS256"
_OPERATOR_S = 60.0
"""For so long the question of an operator may be asked, and its answer wait."""


class VisitorClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor's token says: one visitor of one site."""

    visitor_id: int
    site_id: int
    token_id: str
    expires_at: UnixMs
    is_identified: bool = False
    """The site has signed who this is."""


class _Signer:
    """Signs and checks the tokens of one purpose."""

    def __init__(
        self, secret: bytes, purpose: str, ttl_s: float, now_ms: Callable[[], int]
    ) -> None:
        self._key = hmac.digest(secret, f"kefu {purpose}".encode(), hashlib.sha256)
        self._purpose = purpose
        self._ttl_s = ttl_s
        self._now_ms = now_ms

    def sign(self, claims: dict[str, Any]) -> tuple[str, UnixMs]:
        """Return the token and when it ends."""
        expires_s = self._now_ms() // 1000 + int(self._ttl_s)
        payload = claims | {"aud": self._purpose, "exp": expires_s}
        token = jwt.encode(payload, self._key, algorithm=_ALGORITHM)
        return token, UnixMs(expires_s * 1000)

    def check(self, token: str) -> dict[str, Any]:
        """Return the claims. Raises `Unauthorized`, the same for every reason."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._purpose,
                # The clock is handed in, so the expiry is compared here below.
                options={"require": ["aud", "exp"], "verify_exp": False},
            )
            is_live = int(claims["exp"]) * 1000 > self._now_ms()
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            raise Unauthorized from error
        if not is_live:
            raise Unauthorized
        return claims


class OperatorTokens:
    """Shows the server that a question comes from a command of its own operator."""

    def __init__(self, secret: bytes, now_ms: Callable[[], int]) -> None:
        """Take the installation's secret and a clock (Unix ms)."""
        self._signer = _Signer(secret, "operator", _OPERATOR_S, now_ms)

    def issue(self, *, wait_s: float = 0.0) -> str:
        """Return a token for one question, answered after so many seconds."""
        return self._signer.sign({"wait_s": wait_s})[0]

    def wait_of(self, token: str) -> float:
        """Return after how long to answer. Raises `Unauthorized`."""
        return min(_OPERATOR_S, float(self._signer.check(token)["wait_s"]))


class VisitorTokens:
    """Tokens that name one visitor of one site."""

    def __init__(self, secret: bytes, ttl_s: float, now_ms: Callable[[], int]) -> None:
        self.ttl_s = ttl_s
        self._signer = _Signer(secret, "visitor", ttl_s, now_ms)

    def issue(
        self, visitor_id: int, site_id: int, *, is_identified: bool = False
    ) -> tuple[str, UnixMs]:
        """Return a token and when it ends."""
        claims = {
            "sub": str(visitor_id),
            "site": site_id,
            "jti": secrets.token_urlsafe(9),
            **({"known": True} if is_identified else {}),
        }
        return self._signer.sign(claims)

    def check(self, token: str) -> VisitorClaims:
        """Return what a token says. Raises `Unauthorized`."""
        claims = self._signer.check(token)
        try:
            return VisitorClaims(
                visitor_id=int(claims["sub"]),
                site_id=int(claims["site"]),
                token_id=str(claims["jti"]),
                expires_at=UnixMs(int(claims["exp"]) * 1000),
                is_identified=claims.get("known") is True,
            )
        except (KeyError, ValueError, TypeError) as error:
            raise Unauthorized from error


class InvitationTokens:
    """Tokens that say what an agent has invited one visitor of one site with.

    The page shows it when it opens the conversation, to whichever node.
    """

    TTL_S = 3_600

    def __init__(self, secret: bytes, now_ms: Callable[[], int]) -> None:
        self._signer = _Signer(secret, "invitation", self.TTL_S, now_ms)

    def issue(self, word: QuotedWord) -> str:
        """Return a token that holds for an hour."""
        return self._signer.sign(msgspec.to_builtins(word))[0]

    def read(self, token: str) -> QuotedWord | None:
        """Return what a token says; None if it is not good, or not any more."""
        try:
            return msgspec.convert(self._signer.check(token), QuotedWord)
        except (Unauthorized, msgspec.ValidationError):
            return None


class DeviceTokens:
    """Tokens that say: an agent has logged in from this browser before.

    A stranger who guesses at an account delays that account for other strangers, not
    for the browser of its owner, whose failures are counted apart.
    """

    TTL_S = 180 * 86_400

    def __init__(self, secret: bytes, now_ms: Callable[[], int]) -> None:
        self._signer = _Signer(secret, "device", self.TTL_S, now_ms)

    def issue(self, login: str) -> str:
        """Return a token for the browser that has just logged in."""
        claims = {"sub": login.casefold(), "jti": secrets.token_urlsafe(16)}
        return self._signer.sign(claims)[0]

    def find_device(self, token: str, login: str) -> str | None:
        """Return the device's name when the token is good for this login."""
        try:
            claims = self._signer.check(token)
        except Unauthorized:
            return None
        is_same = claims.get("sub") == login.casefold()
        return str(claims.get("jti")) if is_same else None
