"""Whom a site invites by itself."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.desk.inviting import Facts, find_rule, matches, wait_s
from kefu_core.site import InvitationRule

SHOP = "https://shop.example"
FACTS = Facts(url=f"{SHOP}/cart?step=2", on_page_s=30, pages=2, is_returning=False)
CART = InvitationRule(name="cart", url="/cart*", after_s=20)
SLOW = InvitationRule(name="slow", after_s=60)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/cart", "/cart", True),
        ("/cart", "/CART/", True),
        ("/cart", "/cart?step=2#x", True),
        ("/cart", "/cart/pay", False),
        ("/cart*", "/cart/pay", True),
        ("*/pay", "/cart/pay", True),
        ("/*/pay*", "/cart/pay/now", True),
        ("/a*b*a", "/aba", True),
        ("/a*a", "/a", False),
        ("*step=2*", "/cart?step=2", False),
        ("*?step=2*", "/cart?step=2&x=1", True),
        ("/", "", True),
        ("*", "/anything", True),
        ("**", "/anything", True),
        (".*", "/anything", False),
    ],
)
def test_a_pattern_fits_pages(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, SHOP + path) is fits


@given(st.text(alphabet="ab/*?", max_size=40), st.text(alphabet="ab/?", max_size=60))
def test_no_pattern_does_harm(pattern: str, path: str) -> None:
    assert isinstance(matches(pattern, f"{SHOP}/{path}"), bool)


def test_the_first_rule_that_applies_counts() -> None:
    assert find_rule([SLOW, CART], FACTS) is CART
    assert find_rule([CART, SLOW], msgspec.structs.replace(FACTS, on_page_s=90)) is CART
    off = msgspec.structs.replace(CART, is_on=False)
    assert find_rule([off, SLOW], FACTS) is None


@pytest.mark.parametrize(
    "change",
    [{"pages": 3}, {"only_returning": True}, {"after_s": 31}, {"url": "/tea"}],
)
def test_all_that_a_rule_says_must_hold(change: dict[str, object]) -> None:
    assert find_rule([msgspec.structs.replace(CART, **change)], FACTS) is None


def test_time_alone_makes_the_next_rule_apply() -> None:
    assert wait_s([SLOW, CART], FACTS) == 30
    assert wait_s([msgspec.structs.replace(SLOW, pages=9)], FACTS) is None
    assert wait_s([], FACTS) is None
