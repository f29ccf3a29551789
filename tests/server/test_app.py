"""Every route, taken from the application: headers, methods, foreign pages, bodies."""

import gzip
import json
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.routing import Route

from kefu_core.errors import StoreUnavailable
from kefu_core.node import monotonic, unix_ms
from kefu_core.records import VisitorProfile
from kefu_core.site import Sayings, SiteSettings, Talk, Translation
from kefu_core.store.memory import MemoryStore
from kefu_server.app import LONGPOLL_PATH, KefuApp, create_app
from kefu_server.middleware import CLOSED_POLICY, WRITING
from kefu_server.settings import Settings
from tests.core.desk.test_translating import Words
from tests.server.conftest import ORIGIN, OTHER_SITE, SHOP, SITE, connect, log_in

pytestmark = pytest.mark.anyio

KNOWN_ROUTES = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/widget.js"),
    ("GET", "/static/{version}/{name:path}"),
    ("GET", "/widget/{embed_key}"),
    ("GET", "/widget/{embed_key}/visit"),
    ("GET", "/console"),
    ("GET", "/setup"),
    ("POST", "/api/setup"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/agent/me"),
    ("GET", "/api/operations"),
    ("GET", "/api/history/facets"),
    ("GET", "/api/history/conversations"),
    ("GET", "/api/history/conversations/{conversation:int}"),
    ("GET", "/api/history/conversations/{conversation:int}/messages"),
    ("GET", "/api/history/search"),
    ("GET", "/api/history/export"),
    ("PUT", "/api/conversations/{conversation:int}/files/{key}"),
    ("GET", "/api/files/{file:int}"),
    ("GET", "/api/files/{file:int}/thumbnail"),
    ("POST", "/api/visit"),
    ("POST", "/api/visitor/token"),
    ("POST", "/api/visitor/erase"),
    ("POST", LONGPOLL_PATH),
    ("POST", "/api/agent/login"),
    ("POST", "/api/agent/logout"),
    ("GET", "/api/agent/account"),
    ("POST", "/api/agent/password"),
    ("POST", "/api/agent/factor"),
    ("POST", "/api/agent/factor/on"),
    ("POST", "/api/agent/factor/off"),
    ("POST", "/api/agent/sessions/end"),
}
FOREIGN_ORIGINS = ["null", "https://evil.example", "http://127.0.0.1:8081", SHOP]


def http_routes(app: KefuApp) -> set[tuple[str, str]]:
    """Return every (method, path) that the application answers."""
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }


def mutations(app: KefuApp) -> list[tuple[str, str]]:
    return sorted(r for r in http_routes(app) if r[0] in WRITING)


def forms(app: KefuApp) -> list[tuple[str, str]]:
    """Return the mutations whose origin is checked before anything is read.

    Not long poll's: there the hello is judged, as on a WebSocket.
    """
    return [r for r in mutations(app) if r[1] != LONGPOLL_PATH]


def concrete(path: str, app: KefuApp) -> str:
    version = app.state.pages.static.version
    return (
        path.replace("{version}", version)
        .replace("{name:path}", "loader.js")
        .replace("{embed_key}", SITE.embed_key)
        .replace("{conversation:int}", "1")
        .replace("{file:int}", "1")
        .replace("{key}", "a-file")
    )


async def test_a_new_route_must_be_listed_here(app: KefuApp) -> None:
    assert http_routes(app) == KNOWN_ROUTES


async def test_a_foreign_page_changes_nothing(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    await log_in(client)
    for method, path in forms(app):
        for origin in FOREIGN_ORIGINS:
            response = await client.request(
                method, path, json={}, headers={"origin": origin}
            )
            assert response.status_code == 403, (path, origin)
    assert (await client.get("/api/agent/me")).status_code == 200


@pytest.mark.parametrize("origin", [None, *FOREIGN_ORIGINS])
async def test_a_foreign_page_opens_no_poll_session_with_an_agents_cookie(
    client: httpx.AsyncClient, origin: str | None
) -> None:
    await log_in(client)
    del client.headers["origin"]
    headers = {"origin": origin} if origin else {}
    body = {"poll": 1, "hello": {"t": "hello", "v": 1}}
    response = await client.post(LONGPOLL_PATH, json=body, headers=headers)
    assert response.status_code == 200
    (batch,) = response.json()["batches"]
    assert [frame["t"] for frame in batch["frames"]] == ["error", "closed"]
    assert batch["frames"][0]["code"] == "unauthorized"


async def test_the_own_page_opens_a_poll_session_with_an_agents_cookie(
    client: httpx.AsyncClient,
) -> None:
    await log_in(client)
    body = {"poll": 1, "hello": {"t": "hello", "v": 1}}
    response = await client.post(LONGPOLL_PATH, json=body)
    (batch,) = response.json()["batches"]
    assert batch["frames"][0]["t"] == "welcome"


async def test_a_request_that_does_not_say_where_it_comes_from_changes_nothing(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    await log_in(client)
    del client.headers["origin"]
    for method, path in forms(app):
        for site in (None, "cross-site", "same-site", "none"):
            headers = {} if site is None else {"sec-fetch-site": site}
            response = await client.request(method, path, json={}, headers=headers)
            assert response.status_code == 403, (path, site)


async def test_a_browser_may_say_same_origin_instead(
    client: httpx.AsyncClient,
) -> None:
    del client.headers["origin"]
    client.headers["sec-fetch-site"] = "same-origin"
    assert (await log_in(client)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""],
)
async def test_what_a_form_can_send_changes_nothing(
    app: KefuApp, client: httpx.AsyncClient, content_type: str
) -> None:
    for method, path in mutations(app):
        response = await client.request(
            method, path, content=b"{}", headers={"content-type": content_type}
        )
        assert response.status_code == 415, path


async def test_no_get_changes_anything(app: KefuApp, client: httpx.AsyncClient) -> None:
    await log_in(client)
    for _, path in mutations(app):
        assert (await client.get(concrete(path, app))).status_code == 405, path
    assert (await client.get("/api/agent/me")).status_code == 200


async def test_a_compressed_body_is_refused_on_every_route(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    for method, path in http_routes(app):
        response = await client.request(
            method,
            concrete(path, app),
            content=bomb,
            headers={"content-encoding": "gzip", "content-type": "application/json"},
        )
        assert response.status_code == 415, path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"login": 1, "password": "x", "site": 1}',
        b'{"login": NaN}',
        b'"\xff"',
        b'{"site":"\\ud800","login":"\\ud800","password":"x"}',
        b"[" * 30_000,
    ],
)
async def test_a_malformed_body_is_answered_never_a_fault(
    app: KefuApp, client: httpx.AsyncClient, body: bytes
) -> None:
    for method, path in mutations(app):
        response = await client.request(
            method, path, content=body, headers={"content-type": "application/json"}
        )
        assert response.status_code < 500, (path, response.text)


async def test_a_body_over_the_limit_is_refused(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    too_large = b" " * (app.settings.limits.frame_bytes_max + 2_000)
    for method, path in mutations(app):
        response = await client.request(
            method,
            path,
            content=too_large,
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 413, path


async def test_every_answer_carries_the_security_headers(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    paths = [concrete(path, app) for _, path in http_routes(app)]
    for path in [*paths, "/none", "/widget/none", "/static/0/loader.js"]:
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert "camera=()" in headers["permissions-policy"], path
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "frame-ancestors" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert "access-control-allow-origin" not in headers, path
        assert "cache-control" in headers, path


async def test_only_the_widget_may_be_framed_and_only_by_its_site(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    for _, path in http_routes(app):
        policy = (await client.get(concrete(path, app))).headers[
            "content-security-policy"
        ]
        is_widget = path.startswith("/widget/")
        expected = SHOP if is_widget else "'none'"
        assert f"frame-ancestors {expected}" in policy, path
    none = await client.get(f"/widget/{OTHER_SITE.embed_key}")
    assert none.headers["content-security-policy"].endswith("frame-ancestors 'none'")


@pytest.mark.parametrize("path", ["/console", f"/widget/{SITE.embed_key}"])
async def test_a_page_allows_only_its_own_files(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.get(path)
    policy = response.headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"].split()[:2] == ["'self'", "ws://127.0.0.1:8080"]
    assert directives["base-uri"] == "'none'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "<style" not in response.text
    assert "style=" not in response.text
    assert response.text.count("<script") == response.text.count("<script type=") == 1


async def test_a_page_names_only_files_that_are_served(
    client: httpx.AsyncClient,
) -> None:
    for page in ("/console", f"/widget/{SITE.embed_key}"):
        text = (await client.get(page)).text
        urls = [part.partition('"')[0] for part in text.split('="/')[1:]]
        assert len(urls) > 1
        for url in urls:
            response = await client.get("/" + url)
            assert response.status_code == 200, url
            assert "immutable" in response.headers["cache-control"]


async def test_a_name_of_a_site_is_text_not_markup(client: httpx.AsyncClient) -> None:
    text = (await client.get(f"/widget/{SITE.embed_key}")).text
    assert "<b>" not in text
    assert "茶 &lt;b&gt;&amp;" in text


async def test_a_secure_server_says_so(store: MemoryStore, settings: Settings) -> None:
    secure = Settings(
        bind="0.0.0.0:80", public_url="https://chat.example", secret=settings.secret
    )
    app = create_app(secure, store=store)
    async with app.router.lifespan_context(app), connect(app) as client:
        response = await log_in(client)
        page = await client.get("/console")
    assert "strict-transport-security" in response.headers
    session, device = response.headers.get_list("set-cookie")
    assert session.startswith("__Host-kefu_session=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(
        session.split("; ")
    )
    assert "Domain" not in session
    assert {"HttpOnly", "SameSite=strict", "Secure"} <= set(device.split("; "))
    assert "wss://chat.example" in page.headers["content-security-policy"]


async def test_static_files_are_kept_for_ever_under_their_own_version_only(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    static = app.state.pages.static
    plain = await client.get(
        static.url("loader.js"), headers={"accept-encoding": "identity"}
    )
    zipped = await client.get(
        static.url("loader.js"), headers={"accept-encoding": "br, gzip;q=1.0"}
    )
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.text == plain.text
    assert zipped.headers["content-type"].startswith("text/javascript")
    assert (await client.get("/static/old/loader.js")).status_code == 404
    for name in ("../app.py", "..%2fapp.py", "client/frames.d.ts", "", "/etc/passwd"):
        status = (await client.get(f"/static/{static.version}/{name}")).status_code
        assert status == 404, name


async def test_the_loader_is_public_and_checked_often(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/widget.js")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    again = await client.get(
        "/widget.js", headers={"if-none-match": response.headers["etag"]}
    )
    assert again.status_code == 304


class AwayStore(MemoryStore):
    """A store whose database can go away."""

    is_away = False

    async def ping(self) -> None:
        if self.is_away:
            raise StoreUnavailable("connection refused by db.internal")
        await super().ping()

    async def find_site(self, embed_key: str) -> Any:
        await self.ping()
        return await super().find_site(embed_key)


async def test_readiness_follows_the_database_and_health_does_not(
    settings: Settings,
) -> None:
    store = AwayStore(now=monotonic, now_ms=unix_ms)
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app), connect(app) as client:
        assert (await client.get("/readyz")).status_code == 200
        store.is_away = True
        away = await client.get("/readyz")
        assert away.status_code == 503
        assert "db.internal" not in away.text
        assert (await client.get("/healthz")).status_code == 200
        refused = await client.post("/api/visitor/token", json={"site": "x"})
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "unavailable"
        store.is_away = False
        assert (await client.get("/readyz")).status_code == 200


async def test_before_the_start_and_after_the_end_nothing_is_served(
    settings: Settings,
) -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    app = create_app(settings, store=store)
    async with connect(app) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/api/agent/me")).status_code == 503


async def test_an_unknown_path_and_an_unknown_site_look_like_every_error(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/none", "/widget/none", "/static/x/y.js"):
        response = await client.get(path)
        assert response.status_code == 404
        assert set(response.json()["error"]) == {"code", "text", "retry_after_s"}


async def test_a_visitors_token_is_renewed_for_the_same_visitor_of_the_same_site(
    client: httpx.AsyncClient,
) -> None:
    async def token(site: str, old: str | None = None) -> dict[str, Any]:
        body = {"site": site, "token": old}
        response = await client.post("/api/visitor/token", json=body)
        assert response.status_code == 200
        return dict(json.loads(response.text))

    first = await token(SITE.embed_key)
    again = await token(SITE.embed_key, first["token"])
    elsewhere = await token(OTHER_SITE.embed_key, first["token"])
    garbled = await token(SITE.embed_key, first["token"] + "x")
    assert first["site"] == {
        "id": SITE.id,
        "name": SITE.name,
        "locale": "zh-CN",
        "staffed": False,
        "may_chat": True,
        "file_bytes": 10_485_760,
        "asks_rating": True,
        "greeting": "",
        "form": None,
        "shows_typing": False,
        "recall_within_s": 120,
        "edit_within_s": 900,
        "translation": None,
    }
    assert again["visitor"] == first["visitor"]
    assert again["token"] != first["token"]
    assert len({first["visitor"], elsewhere["visitor"], garbled["visitor"]}) == 3


async def test_the_page_greets_in_the_browsers_language_where_the_site_has_it(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    texts = (Sayings(language="pt-BR", greeting="Olá"),)
    talk = Talk(greeting="您好", translations=texts)
    await store.put_site(replace(SITE, settings=SiteSettings(talk=talk)))
    greetings = []
    for wanted in ("pt-PT,en;q=0.5", "pt;q=1", "en,pt-BR", "*", ",", ""):
        response = await client.post(
            "/api/visitor/token",
            json={"site": SITE.embed_key},
            headers={"accept-language": wanted},
        )
        greetings.append(response.json()["site"]["greeting"])
    assert greetings == ["Olá", "Olá", "您好", "您好", "您好", "您好"]


async def test_a_visitors_page_hears_what_it_has_chosen_and_may_choose(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    app.state.services.desk.interpreter = Words()
    settings = SiteSettings(
        talk=Talk(
            greeting="您好", translations=(Sayings(language="pt", greeting="Olá"),)
        ),
        translation=Translation(is_on=True, language="zh-CN", holds_s=2),
    )
    await store.put_site(replace(SITE, settings=settings))

    async def told(**more: Any) -> dict[str, Any]:
        body = {"site": SITE.embed_key, **more}
        answer = await client.post("/api/visitor/token", json=body)
        return dict(answer.json())

    first = await told()
    wanted = {"language": "zh-CN", "languages": ["zh-CN", "pt"], "holds_s": 2}
    wanted["agents"] = ["zh-CN"]
    assert first["site"]["translation"] == wanted | {"chosen": ""}
    number = int(first["visitor"][1:])
    known = VisitorProfile(id=number, site_id=SITE.id, chosen_language="pt-BR")
    await store.put_records(known)
    again = (await told(token=first["token"]))["site"]
    assert again["translation"] == wanted | {"chosen": "pt-BR"}
    assert again["greeting"] == "Olá"
    # Another site's visitor of the same number has chosen nothing here.
    await store.put_records(replace(known, site_id=OTHER_SITE.id))
    other = (await told(token=first["token"]))["site"]
    assert other["translation"] == wanted | {"chosen": ""}


async def test_a_visitors_page_hears_what_agents_read_and_not_who(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    desk = app.state.services.desk
    desk.interpreter = Words()
    rules = Translation(is_on=True, language="zh-CN")
    await store.put_site(replace(SITE, settings=SiteSettings(translation=rules)))
    known, *_ = await store.agents()

    async def told(*languages: str, **more: Any) -> list[str]:
        for number, language in enumerate(languages, 100):
            other = {"id": number, "login": f"a{number}", "language": language}
            await store.put_agent(replace(known, **other, **more))
        desk.staffing.look_again()
        body = {"site": SITE.embed_key}
        answer = (await client.post("/api/visitor/token", json=body)).json()
        return list(answer["site"]["translation"]["agents"])

    assert await told("pt-BR", "", "zh-SG", "pt-PT") == ["pt-PT", "zh-SG"]
    assert await told("fr", "de", "ja", "ko", "es") == ["de", "es", "fr", "ja"]
    # Nobody writes here who answers for another site only, or cannot log in.
    assert await told(*["pt"] * 5, sites=(OTHER_SITE.id,)) == ["zh-CN"]
    assert await told(*["pt"] * 5, is_active=False) == ["zh-CN"]


async def test_the_origin_constant_is_the_servers_own(app: KefuApp) -> None:
    assert app.settings.origins[0] == ORIGIN
    assert CLOSED_POLICY.startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/console/", "/healthz/", "/api/agent/me/"])
async def test_no_answer_repeats_the_host_header(
    client: httpx.AsyncClient, path: str
) -> None:
    for known in (path, path.rstrip("/"), f"/widget/{SITE.embed_key}"):
        response = await client.get(known, headers={"host": "evil.example"})
        assert "evil.example" not in response.text + str(response.headers)
