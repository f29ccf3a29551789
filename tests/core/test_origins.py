"""Only what a browser itself would write is an origin."""

import pytest

from kefu_core.errors import ConfigurationError
from kefu_core.origins import check_origin


@pytest.mark.parametrize(
    "text", ["https://shop.example", "http://127.0.0.1:8080", "http://[::1]:8080"]
)
def test_what_browsers_write_is_taken(text: str) -> None:
    assert check_origin(text, "key", "example") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "shop.example",
        "https://shop.example/",
        "https://Shop.example",
        "https://shop.example:443",
        "https://a b",
        "ftp://shop.example",
        "https://[::1",
    ],
)
def test_everything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"key.*https://good\.example"):
        check_origin(text, "key", "https://good.example")
