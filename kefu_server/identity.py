"""Who a visitor is to the host site, as the site has signed it.

Two forms, both made with the site's secret on the site's own server: a JWT (HS256) with
`sub` and `exp`, at most a day ahead, and what else is to be known; or the HMAC-SHA256
of `id:` and the id, in hexadecimal digits, which says who somebody is and no more, and
has no end.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import jwt
import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.merging import NUMBERS_MAX, has_acted, merged
from kefu_core.desk.profiles import (
    EMAIL_CHARS,
    NAME_CHARS,
    PHONE_CHARS,
    change_profile,
    check_fact,
)
from kefu_core.errors import Busy, Conflict, Invalid, Unauthorized
from kefu_core.ids import visitor_participant
from kefu_core.model import Site
from kefu_core.records import VisitorAlias, VisitorIdentity, VisitorProfile
from kefu_core.types import UnixMs
from kefu_server.logs import event
from kefu_server.services import Services
from kefu_server.tokens import VisitorClaims

logger = logging.getLogger("kefu.identity")

LASTS_S, CLOCKS_S = 86_400, 60
"""A signed identity lasts at most a day; the site's clock may be a minute off."""
ID_CHARS, TOKEN_CHARS = 200, 4_096
_FACTS = {"name": NAME_CHARS, "email": EMAIL_CHARS, "phone": PHONE_CHARS}
_TRIES = 5


class SignedIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What a page hands over: a token, or an id and its hash."""

    token: Annotated[str, msgspec.Meta(max_length=TOKEN_CHARS)] = ""
    id: str | int = ""
    hash: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """What a good signature says."""

    external_id: str
    facts: dict[str, str] = {}
    """Name, e-mail address and telephone number, as far as they are signed."""


def verify(identity: SignedIdentity, secret: str, now_ms: int) -> Identified:
    """Return what a site has signed. Raises `Unauthorized`, saying what is wrong."""
    if not secret:
        raise Unauthorized("This site has no secret to sign identities with.")
    if identity.token:
        return _of_token(identity.token, secret, now_ms)
    external_id = _id_of(identity.id)
    expected = hmac.digest(
        secret.encode(), f"id:{external_id}".encode(), hashlib.sha256
    )
    shown = identity.hash.lower().encode()
    if not hmac.compare_digest(expected.hex().encode(), shown):
        raise Unauthorized("The identity is not signed with this site's secret.")
    return Identified(external_id=external_id)


def _of_token(token: str, secret: str, now_ms: int) -> Identified:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            # The clock is handed in; whom else it is for is the site's business.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Unauthorized(
            "The identity is not signed with this site's secret, by HS256."
        ) from None
    ends_at = claims.get("exp")
    if not isinstance(ends_at, int | float) or isinstance(ends_at, bool):
        raise Unauthorized("The identity does not say when it ends: `exp` is missing.")
    left_s = ends_at - now_ms / 1000
    if not left_s > -CLOCKS_S:
        raise Unauthorized("The identity has expired.")
    if not left_s <= LASTS_S + CLOCKS_S:
        raise Unauthorized("The identity lasts for more than a day.")
    return Identified(external_id=_id_of(claims.get("sub")), facts=_facts(claims))


def _id_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unauthorized("The identity does not say whose it is.")
    text = str(value)
    if not 0 < len(text) <= ID_CHARS or not text.isprintable() or text != text.strip():
        raise Unauthorized(f"The identity's id has 1 to {ID_CHARS} printable letters.")
    with suppress(Invalid):
        check_characters(text, "The id")
        return text
    raise Unauthorized("The identity's id is no text.")


def _facts(claims: dict[str, Any]) -> dict[str, str]:
    """Return what can be kept of what is signed; the rest keeps nobody out."""
    facts = {}
    for name, chars in _FACTS.items():
        text = claims.get(name)
        if isinstance(text, str) and text.strip() and len(text) <= chars:
            with suppress(Invalid):
                facts[name] = check_fact(name, text)
    return facts


async def identify(
    services: Services,
    site: Site,
    signed: Identified,
    shown: VisitorClaims | None,
    now_ms: Callable[[], int],
) -> int:
    """Return the number of the visitor whom a site has signed.

    The first time it is the visitor that the browser is already, unless that one is
    somebody else to the site; from then on the same on every device. What a browser
    wrote before, as nobody, is then that visitor's too, by one number more.

    Raises `StoreUnavailable`, and `Busy` where another node does the same.
    """
    desk, store = services.desk, services.store
    where: dict[str, str | int] = {
        "site_id": site.id,
        "external_id": signed.external_id,
    }
    # One at a time, and not while a conversation is opened, which meets the visitor.
    async with desk.opening:
        known = await store.list_records(VisitorIdentity, where=where, limit=1)
        if known:
            number = known[0].id
        else:
            number = await _become(services, site, signed.external_id, shown)
        await _note(services, site, number, signed.facts, UnixMs(now_ms()))
        if known and shown is not None and not shown.is_identified:
            await _take_over(services, site, shown.visitor_id, number, now_ms)
    return number


async def _become(
    services: Services, site: Site, external_id: str, shown: VisitorClaims | None
) -> int:
    """Return the number of somebody new to the site: the browser's, if it is free."""
    number = services.ids.new() if shown is None else shown.visitor_id
    for _ in range(_TRIES):
        identity = VisitorIdentity(id=number, site_id=site.id, external_id=external_id)
        try:
            if await services.store.claim_number(identity):
                return number
        except Conflict:
            break
        number = services.ids.new()
    raise Busy("Somebody else is just becoming this visitor.")


async def _take_over(
    services: Services, site: Site, number: int, known: int, now_ms: Callable[[], int]
) -> None:
    """Make what was written as nobody that of a visitor whom the site knows already.

    Not where the number is somebody's to the site, or was, nor where nothing was
    written under it; nor for a visitor who has very many already.
    """
    desk, store = services.desk, services.store
    if number == known or not await has_acted(desk, site.id, number):
        return
    visitor = visitor_participant(known)
    if len(await store.numbers_of(visitor)) >= NUMBERS_MAX:
        logger.info(event("visitor_has_many_numbers", visitor=visitor))
        return
    alias = VisitorAlias(
        id=number, site_id=site.id, visitor=visitor, created_at=UnixMs(now_ms())
    )
    if await store.claim_number(alias):
        logger.info(event("visitor_known_again", visitor=visitor, before=number))
        await merged(desk, alias)


async def _note(
    services: Services, site: Site, number: int, facts: dict[str, str], at: UnixMs
) -> None:
    """Keep what the site has signed: it takes the place of what was known."""
    for _ in range(_TRIES):
        profile = await services.store.find_record(VisitorProfile, number)
        if profile is None:
            await services.store.put_records(
                VisitorProfile(
                    id=number,
                    site_id=site.id,
                    created_at=at,
                    is_verified=True,
                    name=facts.get("name", ""),
                    email=facts.get("email", ""),
                    phone=facts.get("phone", ""),
                )
            )
            return
        wanted = {**facts, "is_verified": True}
        changes = {k: v for k, v in wanted.items() if getattr(profile, k) != v}
        if not changes or await change_profile(services.desk, profile, changes):
            return
    raise Busy("What is known of you changes all the time.", retry_after_s=1.0)
