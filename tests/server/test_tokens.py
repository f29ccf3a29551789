"""Visitors' tokens: one visitor, one site, until they end."""

import jwt
import pytest

from kefu_core.errors import Unauthorized
from kefu_server.tokens import DeviceTokens, VisitorTokens

SECRET = b"s" * 40
START_MS = 1_800_000_000_000
TTL_S = 3600.0


class Clock:
    """A wall clock that tests set."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms


def test_a_token_says_who_and_where() -> None:
    tokens = VisitorTokens(SECRET, TTL_S, Clock())
    token, expires_at = tokens.issue(12, 3)
    claims = tokens.check(token)
    assert (claims.visitor_id, claims.site_id) == (12, 3)
    assert claims.expires_at == expires_at == START_MS + 3_600_000


@pytest.mark.parametrize(("seconds", "is_good"), [(-60, True), (60, False)])
def test_a_token_ends_with_the_wall_clock(seconds: int, is_good: bool) -> None:
    clock = Clock()
    tokens = VisitorTokens(SECRET, TTL_S, clock)
    token, expires_at = tokens.issue(12, 3)
    clock.ms = expires_at + seconds * 1000
    if is_good:
        assert tokens.check(token).visitor_id == 12
    else:
        with pytest.raises(Unauthorized):
            tokens.check(token)


@pytest.mark.parametrize("ms", [-60_000, 60_000])
def test_a_node_whose_clock_is_a_minute_off_takes_a_fresh_token(ms: int) -> None:
    token, _ = VisitorTokens(SECRET, TTL_S, Clock()).issue(12, 3)
    other = Clock()
    other.ms += ms
    assert VisitorTokens(SECRET, TTL_S, other).check(token).visitor_id == 12


def forged() -> list[str]:
    clock = Clock()
    good, _ = VisitorTokens(SECRET, TTL_S, clock).issue(12, 3)
    other, _ = VisitorTokens(b"t" * 40, TTL_S, clock).issue(12, 3)
    head, body, signature = good.split(".")
    claims = {"sub": "12", "site": 3, "jti": "x", "aud": "visitor", "exp": 2**40}
    return [
        "",
        "x",
        "a.b.c",
        "\x00.\ud800.c",
        good[:-4] + "AAAA",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        other,
        DeviceTokens(SECRET, clock).issue("12"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, SECRET, algorithm="HS256"),
        jwt.encode(claims, "k" * 64, algorithm="HS512"),
    ]


@pytest.mark.parametrize("number", range(12))
def test_anything_else_is_refused(number: int) -> None:
    with pytest.raises(Unauthorized):
        VisitorTokens(SECRET, TTL_S, Clock()).check(forged()[number])


def test_a_device_is_known_for_its_own_login_only() -> None:
    devices = DeviceTokens(SECRET, Clock())
    token = devices.issue("Ana")
    assert devices.find_device(token, "ana") is not None
    assert devices.find_device(token, "bo") is None
    assert devices.find_device("rubbish", "ana") is None
