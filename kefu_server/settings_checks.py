"""What types cannot say of the settings: each fault is one sentence with its fix."""

import ipaddress
import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from kefu_core.desk.offline import check_email
from kefu_core.errors import ConfigurationError, Invalid
from kefu_core.limits import Limits
from kefu_core.origins import check_origin
from kefu_server.sections import (
    FileSettings,
    MailSettings,
    MetricsSettings,
    TcpSettings,
)

if TYPE_CHECKING:
    from kefu_server.settings import Settings


_TOKEN_CHARS_MIN = 16


def _check_traces(url: str) -> None:
    if url and not (url.startswith(("http://", "https://")) and urlsplit(url).hostname):
        raise ConfigurationError(
            f"traces_url = {url!r} is not a URL; write for example "
            "http://127.0.0.1:4318/v1/traces."
        )


def _check_secret(settings: "Settings") -> None:
    if settings.secret and settings.secret_file:
        raise ConfigurationError(
            f"secret = *** and secret_file = {settings.secret_file!r} are two secrets; "
            "keep one of them, also in the environment."
        )


def check(settings: "Settings") -> None:
    """Raise `ConfigurationError` for the first value that cannot be used."""
    host = _check_bind(settings.bind, "bind", "127.0.0.1:8080 or [::1]:8080")
    _check_secret(settings)
    _check_traces(settings.traces_url)
    _check_tcp(settings.tcp)
    _check_mail(settings.mail)
    _check_files(settings.files)
    _check_metrics(settings.metrics)
    _check_networks(settings.webhooks.allow, "webhooks.allow")
    if settings.public_url:
        check_origin(settings.public_url, "public_url", "https://chat.example")
    elif not _is_loopback(host):
        raise ConfigurationError(
            f"bind = {settings.bind!r} is reachable from other machines, so "
            "public_url must be set; write for example https://chat.example."
        )
    _check_networks(settings.trusted_proxies, "trusted_proxies")
    for field in msgspec.structs.fields(Limits):
        value = getattr(settings.limits, field.name)
        if not math.isfinite(value) or value <= 0:
            raise ConfigurationError(
                f"limits.{field.name} = {value!r} is not above zero; write for "
                f"example {field.default}."
            )


def _check_tcp(tcp: TcpSettings) -> None:
    if bool(tcp.certificate) != bool(tcp.key):
        missing = "key" if tcp.certificate else "certificate"
        raise ConfigurationError(
            f"tcp.{missing} = '' is missing; TLS needs both tcp.certificate and "
            "tcp.key."
        )
    if not tcp.bind:
        return
    host = _check_bind(tcp.bind, "tcp.bind", "127.0.0.1:7440")
    if not tcp.certificate and not _is_loopback(host):
        raise ConfigurationError(
            f"tcp.bind = {tcp.bind!r} is reachable from other machines, so tokens "
            "must be encrypted; set tcp.certificate and tcp.key, or bind 127.0.0.1."
        )


def _check_metrics(metrics: MetricsSettings) -> None:
    token = metrics.token.reveal()
    if token and len(token) < _TOKEN_CHARS_MIN:
        raise ConfigurationError(
            f"metrics.token = *** has {len(token)} characters; give at least "
            f"{_TOKEN_CHARS_MIN}, for example from: openssl rand -base64 24"
        )


def _check_networks(networks: tuple[str, ...], key: str) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise ConfigurationError(
                f"{key} = {network!r} is not an address or a network; write "
                "for example 127.0.0.1 or 10.0.0.0/8."
            ) from error


def _check_mail(mail: MailSettings) -> None:
    if not mail.host:
        return
    if not 0 < mail.port <= 65_535:
        raise ConfigurationError(
            f"mail.port = {mail.port!r} is not a port; write for example 587."
        )
    try:
        check_email(mail.sender)
    except Invalid as error:
        raise ConfigurationError(
            f"mail.sender = {mail.sender!r} is not an address; write for example "
            "kefu@shop.example."
        ) from error
    if mail.tls == "none" and mail.login and not _is_loopback(mail.host):
        raise ConfigurationError(
            f"mail.tls = 'none' would send the password to {mail.host!r} unencrypted; "
            "write starttls or tls."
        )


def _check_files(files: FileSettings) -> None:
    if not files.bucket:
        return
    url = urlsplit(files.endpoint)
    is_url = url.scheme in {"http", "https"} and bool(url.hostname)
    if files.endpoint and (not is_url or url.path.strip("/") or url.query):
        raise ConfigurationError(
            f"files.endpoint = {files.endpoint!r} is not the URL of a service; write "
            "for example https://oss-cn-hangzhou.aliyuncs.com, without the bucket."
        )
    if bool(files.access_key) != bool(files.secret_key):
        missing = "secret_key" if files.access_key else "access_key"
        raise ConfigurationError(
            f"files.{missing} = '' is missing; a key has two halves, files.access_key "
            "and files.secret_key."
        )


def _check_bind(bind: str, key: str, example: str) -> str:
    host, colon, port = bind.rpartition(":")
    is_port = port.isascii() and port.isdigit() and int(port) <= 65_535
    if not (colon and host and is_port) or (":" in host and host[0] != "["):
        raise ConfigurationError(
            f"{key} = {bind!r} is not an address and a port; write for example "
            f"{example}."
        )
    return host.removeprefix("[").removesuffix("]")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
