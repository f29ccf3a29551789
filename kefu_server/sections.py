"""The sections of the settings, and texts that are not shown."""

import secrets
from typing import Literal

import msgspec


class Secret:
    """A text that no log, error or `repr` shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***" if self._value else "(empty)"

    __str__ = __repr__


class TcpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The listener for programs that speak the protocol over plain TCP or TLS."""

    bind: str = ""
    """Address and port, such as `0.0.0.0:7440`; empty: no TCP listener. Tokens travel
    over it, so other machines reach it only with a certificate."""
    certificate: str = ""
    """PEM file with the certificate and its chain; with `key` the listener is TLS."""
    key: str = ""
    """PEM file with the private key."""


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that mail is handed to."""

    host: str = ""
    """Name of the SMTP server, such as `smtp.example.cn`; empty: no mail is sent, and
    nobody can be answered by mail."""
    port: int = 587
    """Its port: 587 with `starttls`, 465 with `tls`, as a rule."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; `none` only to a server on this machine."""
    login: str = ""
    """Name of the account; empty: none is needed."""
    password: Secret = Secret()
    """Its password."""
    sender: str = ""
    """The address that mail comes from, such as `kefu@shop.example`."""


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for Prometheus."""

    token: Secret = Secret()
    """What Prometheus shows as `Authorization: Bearer …` to read `/metrics`: at least
    16 characters; empty: there is no such page."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where webhooks may lead."""

    allow: tuple[str, ...] = ()
    """Networks inside this one, such as `10.1.2.0/24`, that webhooks may reach although
    they are not public. In the environment: separated by commas."""


class TranslationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What translates for sites that want it."""

    file: str = ""
    """A TOML file with a table for each service, in the order in which they are asked,
    such as `[deepl]` with its `key`; empty: nothing is translated. It holds keys, so
    only the server should be able to read it. `kefu translate` tries them."""


class FileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of files are kept."""

    bucket: str = ""
    """Name of a bucket of S3 or of a service that speaks its protocol; empty: files are
    kept in `data_dir`."""
    endpoint: str = ""
    """URL of the service, without the bucket, such as
    `https://oss-cn-hangzhou.aliyuncs.com`; empty: Amazon's own."""
    region: str = "us-east-1"
    """Where the bucket is; services without regions ignore it."""
    prefix: str = ""
    """In front of every name in the bucket, such as `kefu`."""
    access_key: str = ""
    """The public half of the account's key; empty: found as Amazon's programs find it,
    in the environment or by the machine's role."""
    secret_key: Secret = Secret()
    """Its secret half."""
    addressing: Literal["path", "virtual"] = "path"
    """Where the bucket's name stands in a URL: behind the endpoint's (MinIO), or in
    front of it (`virtual`: Amazon, Alibaba's OSS, Tencent's COS)."""
