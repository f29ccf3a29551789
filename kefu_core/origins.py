"""Origins as browsers write them: what a request's `Origin` is compared with."""

from urllib.parse import urlsplit

from kefu_core.errors import ConfigurationError


def check_origin(text: str, key: str, example: str) -> str:
    """Return `text` when it is an origin as browsers write it.

    Raises:
        ConfigurationError: Names the key, the value and the fix.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    shown = f"[{host}]" if ":" in host else host
    canonical = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    is_default_port = (parts.scheme, port) in {("http", 80), ("https", 443)}
    # Exact comparison with what a browser sends is the whole check later on, so only
    # the browser's own spelling is taken: lower case, punycode, no default port.
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789.-:[]_")
    is_good = parts.scheme in {"http", "https"} and host and set(shown) <= allowed
    if not is_good or is_default_port or text != canonical:
        raise ConfigurationError(
            f"{key} = {text!r} is not an origin (scheme, host in lower case and a "
            f"port unless it is the usual one, no path); write for example {example}."
        )
    return text
