"""What pages tell of themselves is taken for what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.desk.visiting import (
    URL_CHARS,
    browser_of,
    clean_url,
    one_line,
    origin_of,
    source_of,
)

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (f"{SHOP}/tea?colour=green&page=2", f"{SHOP}/tea?colour=green&page=2"),
        ("https://lin:pw@shop.example/tea#access=1", f"{SHOP}/tea"),
        (f"{SHOP}/?reset_token=abc&x=1", f"{SHOP}/?reset_token=***&x=1"),
        (f"{SHOP}/?Password=abc", f"{SHOP}/?Password=***"),
        (f"{SHOP}/?q=lin%40shop.example", f"{SHOP}/?q=***"),
        (f"{SHOP}/?q=eyJhbGciOi.eyJzdWIi.x", f"{SHOP}/?q=***"),
        (f"{SHOP}/?{'a1' * 20}", f"{SHOP}/?***"),
        (f"{SHOP}/?x={'0a' * 20}", f"{SHOP}/?x=***"),
        # Read as a server would: other separators, encoded, one within another.
        (f"{SHOP}/?a=1;sid=abc&b=2", f"{SHOP}/?a=1&sid=***&b=2"),
        (f"{SHOP}/?%74oken=abc&%65%2Dmail=x", f"{SHOP}/?%74oken=***&%65%2Dmail=***"),
        (f"{SHOP}/?user%5Bpassword%5D=abc", f"{SHOP}/?user%5Bpassword%5D=***"),
        (f"{SHOP}/?next=%2Freset%3Ftoken%3Dabc", f"{SHOP}/?next=***"),
        (f"{SHOP}/?next=%252Fr%253Fcode%253Dabc", f"{SHOP}/?next=***"),
        (f"{SHOP}/?lin%40shop.example", f"{SHOP}/?***"),
        (f"{SHOP}/?q=13800138000&n=138", f"{SHOP}/?q=***&n=138"),
        (f"{SHOP}/?full_name=Lin", f"{SHOP}/?full_name=***"),
        (f"{SHOP}/?keyword=tea&utm_source=so", f"{SHOP}/?keyword=tea&utm_source=so"),
        # In the path too, where headlines stay what they are.
        (f"{SHOP}/reset/MQ/set-abc/?x=1", f"{SHOP}/reset/***/***/?x=1"),
        (f"{SHOP}/u/lin%40shop.example", f"{SHOP}/u/***"),
        (f"{SHOP}/@lin/tea", f"{SHOP}/@lin/tea"),
        (f"{SHOP}/a/eyJhbGciOi.eyJzdWIi.x", f"{SHOP}/a/***"),
        (f"{SHOP}/a/{'0a' * 16}/b", f"{SHOP}/a/***/b"),
        (f"{SHOP}/a/x7Qm2{'aB3' * 9}", f"{SHOP}/a/***"),
        (f"{SHOP}/tea;jsessionid=1A2B/cup", f"{SHOP}/tea;jsessionid=***/cup"),
        (f"{SHOP}/{'how-to-make-tea-' * 4}10", f"{SHOP}/{'how-to-make-tea-' * 4}10"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https:///tea", ""),
        ("https://[::1/tea", ""),
        ("https://shop.example:99999/", ""),
        ("", ""),
    ],
)
def test_an_address_is_kept_without_what_is_secret(url: str, kept: str) -> None:
    assert clean_url(url) == kept


def test_an_origin_is_written_as_browsers_write_it() -> None:
    assert origin_of("https://lin@Shop.example:8443/a?b#c") == f"{SHOP}:8443"
    assert origin_of("ftp://shop.example/") == ""


def test_the_source_is_another_site() -> None:
    assert source_of("https://www.so.example/s?q=tea", SHOP) == "www.so.example/s"
    assert source_of("https://so.example/", SHOP) == "so.example"
    assert source_of(f"https://so.example/verify/{'0a' * 9}", SHOP) == (
        "so.example/verify/***"
    )
    assert source_of(f"{SHOP}/a", f"{SHOP}/b") == ""
    assert source_of("", SHOP) == source_of("about:blank", SHOP) == ""


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Safari/537.36",
            "Chrome · Windows",
        ),
        ("Mozilla/5.0 (Windows NT) Chrome/1 Safari/5 Edg/126.0", "Edge · Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU) Version/17 Safari/604 MicroMessenger",
            "WeChat · iOS",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Safari/605", "Safari · macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:1) Firefox/1", "Firefox · Linux"),
        ("curl/8", ""),
        ("", ""),
    ],
)
def test_a_browser_is_named_in_two_words(agent: str, said: str) -> None:
    assert browser_of(agent) == said


@given(st.text(max_size=300))
def test_no_text_does_harm(text: str) -> None:
    line = one_line(text, 20)
    assert len(line) <= 20
    assert line.isprintable()
    for url in (text, f"{SHOP}/{text}", f"{SHOP}/?{text}"):
        kept = clean_url(url)
        assert len(kept) <= URL_CHARS
        assert kept.isprintable()
        assert "#" not in kept
        source_of(url, SHOP)
        origin_of(url)
        browser_of(text)
