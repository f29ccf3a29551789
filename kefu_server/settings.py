"""Every setting of the server: one tree of frozen structs.

Values come from a TOML file (`kefu.toml`) and from environment variables, which win:
`bind` is `KEFU_BIND`, `limits.heartbeat_s` is `KEFU_LIMITS_HEARTBEAT_S`. A wrong value
stops the start with one sentence that names the key, the value and what to write.
"""

import difflib
import os
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from kefu_core.errors import ConfigurationError
from kefu_core.limits import Limits
from kefu_server.sections import (
    FileSettings,
    MailSettings,
    MetricsSettings,
    Secret,
    TcpSettings,
    TranslationSettings,
    WebhookSettings,
)
from kefu_server.settings_checks import check

ENVIRONMENT_PREFIX = "KEFU_"
CONFIG_VARIABLE = "KEFU_CONFIG"
DEFAULT_FILE = "kefu.toml"
SECRET_CHARS_MIN = 32


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How one server runs."""

    bind: str = "127.0.0.1:8080"
    """Address and port to listen on, such as `0.0.0.0:8080` or `[::1]:8080`."""
    public_url: str = ""
    """The URL under which browsers reach the server, such as `https://chat.example`.
    Needed when `bind` is not a loopback address. Cookies are `Secure` when it is
    https; its origin is the only one from which agents may log in."""
    data_dir: str = "kefu-data"
    """Folder of what the server itself keeps: the SQLite file and the secret."""
    database_url: Secret = Secret()
    """SQLAlchemy URL of the database; empty for the file `kefu.db` in `data_dir`
    (`sqlite+aiosqlite:///./kefu-data/kefu.db`). May hold a password."""
    secret: Secret = Secret()
    """Signs the visitors' tokens: at least 32 random characters. Empty: read from
    `secret_file`, else made at the first start and kept in `data_dir`."""
    secret_file: str = ""
    """A file that holds the secret; empty for `secret` in `data_dir`."""
    server: Literal["hypercorn", "uvicorn", "granian"] = "hypercorn"
    """Which ASGI server runs it; the others need `kefu[uvicorn]` or `kefu[granian]`."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed,
    such as `127.0.0.1` or `10.0.0.0/8`. In the environment: separated by commas."""
    second_factor: Literal["optional", "admins", "all"] = "optional"
    """Which agents log in with a code of their app as well; others may."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that the log shows."""
    log_format: Literal["readable", "json"] = "readable"
    """How a line is written: for people (and for systemd's journal, which keeps the
    time itself), or as one JSON object, for programs that collect logs."""
    traces_url: str = ""
    """Where OpenTelemetry's spans of each message's way are sent by OTLP over HTTP,
    such as `http://127.0.0.1:4318/v1/traces`; empty: nowhere. Needs `kefu[otel]`."""
    tcp: TcpSettings = TcpSettings()
    """The TCP listener."""
    mail: MailSettings = MailSettings()
    """The server that mail is handed to."""
    files: FileSettings = FileSettings()
    """Where the bytes of files are kept."""
    webhooks: WebhookSettings = WebhookSettings()
    """Where webhooks may lead."""
    translation: TranslationSettings = TranslationSettings()
    """What translates for sites that want it."""
    metrics: MetricsSettings = MetricsSettings()
    """Figures for Prometheus."""
    limits: Limits = Limits()
    """What the server accepts and holds; see the table of limits."""

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Return `bind` in two parts; the host without brackets."""
        return host_and_port(self.bind)

    @property
    def database(self) -> str:
        """Return the database URL in force. Holds a password: never log it."""
        if self.database_url:
            return self.database_url.reveal()
        return f"sqlite+aiosqlite:///{Path(self.data_dir) / 'kefu.db'}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the server over https."""
        return self.public_url.startswith("https://")

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the server's own origins, the one to show first.

        With `public_url` there is exactly one. Without it the server listens on
        loopback only, where a person may write any of the loopback's names.
        """
        if self.public_url:
            return (self.public_url,)
        host, port = self.host_and_port
        shown = f"[{host}]" if ":" in host else host
        suffix = "" if port == 80 else f":{port}"
        names = dict.fromkeys((shown, "127.0.0.1", "localhost", "[::1]"))
        return tuple(f"http://{name}{suffix}" for name in names)

    def with_bind(self, bind: str) -> "Settings":
        """Return the same settings for another address, once the port is known."""
        return msgspec.structs.replace(self, bind=bind)


def host_and_port(bind: str) -> tuple[str, int]:
    """Return a checked address in two parts; the host without brackets."""
    host, _, port = bind.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


SECTIONS: tuple[type[msgspec.Struct], ...] = (
    TcpSettings,
    MailSettings,
    FileSettings,
    WebhookSettings,
    TranslationSettings,
    MetricsSettings,
    Limits,
)
"""What stands in sections of the file, named by the fields of `Settings`."""


def setting_keys() -> Iterator[tuple[str, Any, Any]]:
    """Yield every key with its type and default, sections as `section.key`."""
    for field in msgspec.structs.fields(Settings):
        if field.type in SECTIONS:
            for inner in msgspec.structs.fields(field.type):
                yield f"{field.name}.{inner.name}", inner.type, inner.default
        else:
            yield field.name, field.type, field.default


def environment_name(key: str) -> str:
    """Return the environment variable of a key."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the file and the environment, check every value.

    Args:
        path: The TOML file. None: `$KEFU_CONFIG`, else `kefu.toml` where it exists.
        environ: The environment; None for the process's own.

    Raises:
        ConfigurationError: Names the key, the value and the fix.
    """
    environ = os.environ if environ is None else environ
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    values: dict[str, Any] = {}
    if path is not None or Path(DEFAULT_FILE).exists():
        values.update(read_file(path or Path(DEFAULT_FILE)))
    values.update(read_environment(environ))
    return make_settings(values)


def make_settings(values: Mapping[str, Any]) -> Settings:
    """Return settings from values by key. Raises `ConfigurationError`."""
    settings = _build(values)
    check(settings)
    return settings


def load_secret(settings: Settings) -> bytes:
    """Return the signing secret, making and keeping one at the first start.

    Raises:
        ConfigurationError: If it is too short or its file cannot be used.
    """
    if settings.secret:
        return _checked_secret(settings.secret.reveal(), "secret")
    path = Path(settings.secret_file or Path(settings.data_dir) / "secret")
    try:
        if not path.exists() and not settings.secret_file:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # O_EXCL: of two processes that start at once, one makes the secret.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48) + "\n")
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"The secret file {path} can be read by others; run: chmod 600 {path}"
            )
        return _checked_secret(path.read_text("utf-8").strip(), str(path))
    except OSError as error:
        raise ConfigurationError(
            f"The secret file {path} cannot be used ({error.strerror}); make the "
            f"folder writable or set {environment_name('secret')}."
        ) from error


def _checked_secret(text: str, name: str) -> bytes:
    if len(text) < SECRET_CHARS_MIN:
        raise ConfigurationError(
            f"{name} = *** has {len(text)} characters; give at least "
            f"{SECRET_CHARS_MIN}, for example from: openssl rand -base64 48"
        )
    return text.encode()


# -- reading -----------------------------------------------------------------------


def read_file(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file by key. Raises `ConfigurationError`."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The settings file {path} cannot be read: {error}."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error
    known = {key for key, _, _ in setting_keys()}
    sections = {key.partition(".")[0] for key in known if "." in key}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if name in sections and isinstance(value, dict):
            flat |= {f"{name}.{inner}": v for inner, v in value.items()}
        else:
            flat[name] = value
    for key in flat:
        if key not in known:
            raise ConfigurationError(
                f"{path}: there is no setting {key!r}{_nearest(key, known)}"
            )
    return flat


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of an environment by key. Raises `ConfigurationError`."""
    names = {environment_name(key): (key, kind) for key, kind, _ in setting_keys()}
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in names:
            raise ConfigurationError(
                f"There is no setting for the environment variable {name}"
                f"{_nearest(name, set(names))}"
            )
        key, kind = names[name]
        is_list = get_origin(kind) is tuple
        parts = [part.strip() for part in text.split(",") if part.strip()]
        values[key] = parts if is_list else text
    return values


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."


def _build(values: Mapping[str, Any]) -> Settings:
    top: dict[str, Any] = {}
    fields = msgspec.structs.fields(Settings)
    structs = {field.name: field.type for field in fields if field.type in SECTIONS}
    sections: dict[str, dict[str, Any]] = {name: {} for name in structs}
    for key, kind, default in setting_keys():
        if key in values:
            value = _convert(key, kind, default, values[key])
            section, dot, name = key.partition(".")
            (sections[section] if dot else top)[name or section] = value
    built = {name: struct(**sections[name]) for name, struct in structs.items()}
    return Settings(**top, **built)


def _convert(key: str, kind: Any, default: Any, value: Any) -> Any:
    try:
        if kind is Secret:
            return Secret(msgspec.convert(value, str))
        # Text comes from the environment, where every value is one.
        return msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        shown = "***" if kind is Secret else repr(value)
        raise ConfigurationError(
            f"{key} = {shown} is not {_describe(kind)}{_example(default)}."
        ) from error


def _describe(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of texts"
    names = {int: "a whole number", float: "a number", str: "a text", Secret: "a text"}
    return names[kind]


def _example(default: Any) -> str:
    is_shown = isinstance(default, str | int | float) and default != ""
    return f"; write for example {default}" if is_shown else ""
