"""What an operator chose."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from kefu_core.model import Agent, Site

Proxy = Literal["", "nginx", "caddy"]


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """All answers; what is empty is left out."""

    config: Path
    """Where `kefu.toml` goes."""
    values: dict[str, Any] = {}
    """Settings by their keys, as `make_settings` takes them."""
    services: dict[str, dict[str, str]] = {}
    """Services that translate, each with its table; for a file beside `config`."""
    site: Site | None = None
    admin: Agent | None = None
    user: str = ""
    """The system's user that runs the server, where this runs as root."""
    unit: Path | None = None
    """Where systemd's unit goes."""
    environment: Path | None = None
    """Where secrets go that shall not stand in `config`."""
    proxy: Proxy = ""
    proxy_file: Path | None = None
    certificate: str = ""
    """For nginx; Caddy gets its own."""
    certificate_key: str = ""

    @property
    def public_host(self) -> str:
        """Return the name that browsers ask for; empty where none is set."""
        return urlsplit(str(self.values.get("public_url", ""))).hostname or ""

    @property
    def public_port(self) -> int:
        """Return the port that browsers ask for."""
        return urlsplit(str(self.values.get("public_url", ""))).port or 443

    @property
    def services_file(self) -> Path:
        """Return where the services that translate are written."""
        return self.config.with_name("translation.toml")

    def with_value(self, key: str, value: Any) -> "Choices":
        """Return the same with one more setting; an empty value takes it away."""
        values = {name: each for name, each in self.values.items() if name != key}
        if value not in ("", (), []):
            values[key] = value
        return msgspec.structs.replace(self, values=values)
