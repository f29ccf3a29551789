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
