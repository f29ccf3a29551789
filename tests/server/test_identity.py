"""Visitors whom the host site has signed for: one history, and nothing forged."""

import hashlib
import hmac
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import Unauthorized
from kefu_core.model import Person, Role
from kefu_core.records import VisitorIdentity, VisitorProfile
from kefu_core.site import Identity, SiteSettings
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp
from kefu_server.identity import SignedIdentity, verify
from tests.server.conftest import OTHER_SITE, SITE, connect

pytestmark = pytest.mark.anyio

SECRET, OTHER = "s" * 43, "o" * 43


@pytest.fixture
async def store(store: MemoryStore) -> MemoryStore:
    await store.put_site(msgspec.structs.replace(SITE, secret=SECRET))
    await store.put_site(msgspec.structs.replace(OTHER_SITE, secret=OTHER))
    return store


def signed(secret: str = SECRET, **claims: Any) -> dict[str, Any]:
    claims = {"sub": "42", "exp": int(time.time()) + 600} | claims
    claims = {name: value for name, value in claims.items() if value is not None}
    return {"token": jwt.encode(claims, secret, algorithm="HS256")}


def hashed(external_id: Any, secret: str = SECRET) -> dict[str, Any]:
    text = f"id:{external_id}".encode()
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"id": external_id, "hash": digest}


async def ask(app: KefuApp, identity: Any = None, token: str | None = None) -> Any:
    body = {"site": SITE.embed_key, "token": token}
    if identity is not None:
        body["identity"] = identity
    async with connect(app) as client:
        return await client.post("/api/visitor/token", json=body)


async def test_the_first_time_it_is_the_same_visitor_then_the_same_everywhere(
    app: KefuApp, store: MemoryStore
) -> None:
    anonymous = (await ask(app)).json()
    assert not anonymous["is_identified"]
    number = int(anonymous["visitor"][1:])
    person = Person(id=ParticipantId(anonymous["visitor"]), name="", role=Role.VISITOR)
    await store.open_conversation(SITE.id, person)
    identity = signed(name="林晓", email="lin@example.cn", phone="nonsense")
    first = (await ask(app, identity, anonymous["token"])).json()
    assert (first["visitor"], first["is_identified"]) == (anonymous["visitor"], True)
    profile = await store.find_record(VisitorProfile, number)
    assert profile is not None
    assert (profile.name, profile.email, profile.phone) == (
        "林晓",
        "lin@example.cn",
        "",
    )
    assert profile.is_verified
    # On another device, by either form, with or without a token of somebody else there.
    elsewhere = (await ask(app)).json()
    for given, token in ((signed(), None), (hashed(42), elsewhere["token"])):
        again = (await ask(app, given, token)).json()
        assert again["visitor"] == first["visitor"]
    # A token that was given to who is signed stays so when it is renewed.
    renewed = (await ask(app, None, first["token"])).json()
    assert (renewed["visitor"], renewed["is_identified"]) == (first["visitor"], True)
    # Somebody else in the same browser is somebody else.
    other = (await ask(app, signed(sub="43"), first["token"])).json()
    assert other["visitor"] not in (first["visitor"], elsewhere["visitor"])
    assert len(await store.list_records(VisitorIdentity)) == 2


async def test_a_token_from_before_the_signature_reaches_nothing_any_more(
    app: KefuApp, store: MemoryStore
) -> None:
    auth, peer = app.state.services.auth, PeerInfo(transport="test")
    before = (await ask(app)).json()
    other = (await ask(app)).json()["token"]
    connected = await auth.authenticate(before["token"], peer)
    assert await auth.revalidate(connected)
    good = (await ask(app, signed(), before["token"])).json()
    assert good["visitor"] == before["visitor"]
    # Whoever had a copy of it would read what the customer writes, on every device.
    with pytest.raises(Unauthorized):
        await auth.authenticate(before["token"], peer)
    assert not await auth.revalidate(connected)
    renewed = (await ask(app, None, before["token"])).json()
    assert renewed["visitor"] != before["visitor"]
    # The browser that was signed for goes on, and so does whoever was not.
    principal = await auth.authenticate(good["token"], peer)
    assert principal.is_signed
    assert await auth.revalidate(principal)
    assert await auth.revalidate(await auth.authenticate(other, peer))
    # An answer that was lost is asked for again with the token that the browser has.
    again = (await ask(app, signed(), before["token"])).json()
    assert again["visitor"] == before["visitor"]


def unsigned() -> dict[str, Any]:
    claims = {"sub": "42", "exp": int(time.time()) + 600}
    return {"token": jwt.encode(claims, None, algorithm="none")}


def cut() -> dict[str, Any]:
    head, _, _ = signed()["token"].split(".")
    return {"token": f"{head}.{signed(sub='43')['token'].split('.', 1)[1]}x"}


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        (lambda: signed(OTHER), "not signed"),
        (unsigned, "not signed"),
        (cut, "not signed"),
        (lambda: {"token": "x"}, "not signed"),
        (
            lambda: {
                "token": jwt.encode(
                    {"sub": "42", "exp": int(time.time()) + 600},
                    "s" * 64,
                    algorithm="HS512",
                )
            },
            "not signed",
        ),
        (lambda: signed(exp=None), "`exp` is missing"),
        (lambda: signed(exp=True), "`exp` is missing"),
        (lambda: signed(exp=int(time.time()) - 120), "expired"),
        (lambda: signed(exp=int(time.time()) + 2 * 86_400), "more than a day"),
        (lambda: signed(exp=1e400), "more than a day"),
        (lambda: signed(sub=None), "whose it is"),
        (lambda: signed(sub=["42"]), "whose it is"),
        (lambda: signed(sub=""), "1 to 200"),
        (lambda: signed(sub="x" * 201), "1 to 200"),
        (lambda: signed(sub="a\nb"), "1 to 200"),
        (lambda: hashed("42", OTHER), "not signed"),
        (lambda: hashed("42") | {"id": "43"}, "not signed"),
        (lambda: {"id": "42", "hash": ""}, "not signed"),
        (lambda: {"id": "42", "hash": "é"}, "not signed"),
        (lambda: {}, "1 to 200"),
    ],
)
async def test_what_the_site_has_not_signed_is_refused_with_a_reason(
    app: KefuApp, store: MemoryStore, identity: Any, why: str
) -> None:
    answer = await ask(app, identity())
    assert answer.status_code == 401, answer.text
    assert why in answer.json()["error"]["text"]
    assert SECRET not in answer.text
    assert await store.list_records(VisitorIdentity) == []


async def test_a_site_without_a_secret_takes_none(
    app: KefuApp, store: MemoryStore
) -> None:
    await store.put_site(SITE)
    for identity in (hashed("42", ""), signed("x" * 32)):
        answer = await ask(app, identity)
        assert answer.status_code == 401
        assert "no secret" in answer.json()["error"]["text"]


async def test_where_it_is_compulsory_nobody_chats_unsigned(
    app: KefuApp, store: MemoryStore
) -> None:
    before = (await ask(app)).json()["token"]
    auth = app.state.services.auth
    peer = PeerInfo(transport="test")
    assert (await auth.authenticate(before, peer)).site_id == SITE.id
    strict = SiteSettings(identity=Identity(is_required=True))
    await store.put_site(msgspec.structs.replace(SITE, secret=SECRET, settings=strict))
    auth._sites_at = float("-inf")  # As after a few seconds.
    for token in (None, before):
        refused = await ask(app, None, token)
        assert refused.status_code == 401
        assert "signed" in refused.json()["error"]["text"]
    # Nor with a token from before.
    with pytest.raises(Unauthorized):
        await auth.authenticate(before, peer)
    good = (await ask(app, signed(), before)).json()["token"]
    assert (await auth.authenticate(good, peer)).site_id == SITE.id
    assert (await ask(app, None, good)).status_code == 200


def snippet(language: str) -> str:
    page = Path(__file__).parents[2] / "docs" / "howto" / "widget.md"
    pattern = rf"```{language}\n(.*?identity\(.*?)```"
    found = re.search(pattern, page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_what_the_guide_has_servers_sign_is_good() -> None:
    scope: dict[str, Any] = {}
    exec(snippet("python"), scope)
    tokens = [scope["identity"]("42", "林晓", "lin@example.cn", SECRET)]
    if shutil.which("node"):
        call = f'identity("42", "林晓", "lin@example.cn", "{SECRET}")'
        script = f"{snippet('js')}process.stdout.write({call})"
        run = subprocess.run(["node", "-e", script], capture_output=True, timeout=60)
        tokens.append(run.stdout.decode())
    now_ms = int(time.time() * 1000)
    for token in tokens:
        found = verify(SignedIdentity(token=token), SECRET, now_ms)
        assert found.external_id == "42"
        assert found.facts == {"name": "林晓", "email": "lin@example.cn"}
