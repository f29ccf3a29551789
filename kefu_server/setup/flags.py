"""`kefu init` by flags: what a script says instead of a person."""

import argparse
import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from kefu_core.errors import ConfigurationError
from kefu_server.accounts import make_agent, make_site
from kefu_server.sections import Secret
from kefu_server.settings import (
    CONFIG_VARIABLE,
    Settings,
    environment_name,
    make_settings,
    read_environment,
    read_file,
    setting_keys,
)
from kefu_server.setup.choices import Choices, Proxy

SUBJECTS = (
    *("port", "folder", "database", "files", "mail", "translation", "certificate"),
    "user",
)
"""What `--ignore` takes."""
_PROXIES = ("127.0.0.1",)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what replaces the questions."""
    add = parser.add_argument
    add("--public-url", metavar="URL", help="the URL that browsers use")
    add("--bind", metavar="HOST:PORT", help="where to listen (127.0.0.1:8080)")
    add("--data-dir", metavar="FOLDER", help="what the server itself keeps")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other setting, such as mail.host=smtp.example.cn; may be repeated. "
        "Secrets are read from the environment: KEFU_DATABASE_URL, KEFU_MAIL_PASSWORD",
    )
    add("--site", metavar="NAME", help="the first site")
    add(
        "--origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a page's origin that may show the widget; may be repeated",
    )
    add("--locale", default="zh-CN", choices=("zh-CN", "en"), help="the site's")
    add(
        "--admin",
        metavar="LOGIN",
        help="the first admin; its password is a line on standard input",
    )
    add("--admin-name", metavar="NAME", help="what visitors see (default: the login)")
    add(
        "--generate-password",
        action="store_true",
        help="make the admin's password, and print it once",
    )
    add("--user", default="", metavar="NAME", help="who runs the server (kefu)")
    where = {"nargs": "?", "const": "", "metavar": "FILE"}
    add("--systemd", help="write systemd's unit", **cast(Any, where))
    add("--nginx", help="write nginx's site", **cast(Any, where))
    add("--caddy", help="write Caddy's file", **cast(Any, where))
    add("--environment-file", help="keep secrets apart", **cast(Any, where))
    add("--certificate", default="", metavar="FILE", help="for nginx, with its chain")
    add("--certificate-key", default="", metavar="FILE", help="its key")
    add(
        "--ignore",
        action="append",
        default=[],
        choices=SUBJECTS,
        help="go on though this check finds a problem; may be repeated",
    )
    add("--dry-run", action="store_true", help="show everything and write nothing")


def config_path(given: Path | None) -> Path:
    """Return where the settings go: as said, else where root or a user keeps them."""
    if given is not None:
        return given
    if os.environ.get(CONFIG_VARIABLE):
        return Path(os.environ[CONFIG_VARIABLE])
    return Path("/etc/kefu/kefu.toml" if is_root() else "kefu.toml")


def is_root() -> bool:
    """Whether this may write everywhere."""
    return os.geteuid() == 0


def usual_data_dir() -> str:
    """Return where data is kept unless somebody says otherwise."""
    return "/var/lib/kefu" if is_root() else str(Path("kefu-data").absolute())


def usual_place(kind: str, config: Path) -> Path:
    """Return where a file goes unless somebody says otherwise."""
    if kind == "environment":
        return config.with_name("kefu.env")
    if kind == "caddy":
        main = Path("/etc/caddy/Caddyfile")
        # One that is there may serve other sites: it is the operator's to join them.
        is_free = is_root() and main.parent.is_dir() and not main.exists()
        return main if is_free else config.with_name("Caddyfile")
    system, local = {
        "systemd": ("/etc/systemd/system/kefu.service", "kefu.service"),
        "nginx": ("/etc/nginx/conf.d/kefu.conf", "kefu.nginx.conf"),
    }[kind]
    is_there = is_root() and Path(system).parent.is_dir()
    return Path(system) if is_there else config.with_name(local)


def earlier_values(config: Path) -> dict[str, Any]:
    """Return what stands in the settings file already, to go on from.

    Raises:
        ConfigurationError: It cannot be read; says why.
    """
    return read_file(config) if config.exists() else {}


def choices_of(
    options: argparse.Namespace, environ: Mapping[str, str]
) -> tuple[Choices, str]:
    """Return what flags and environment choose, and the password where it was made.

    Raises:
        ConfigurationError, Invalid: A value will not do; says what to write.
    """
    config = config_path(options.config)
    values = earlier_values(config) | read_environment(environ)
    values |= _set_values(options.set)
    for key in ("public_url", "bind", "data_dir"):
        if said := getattr(options, key):
            values[key] = said
    folder = Path(str(values.get("data_dir") or usual_data_dir()))
    values["data_dir"] = str(folder.absolute())
    proxy, proxy_file = _proxy_of(options, config)
    if proxy and not values.get("trusted_proxies"):
        values["trusted_proxies"] = list(_PROXIES)
    settings = make_settings(values)
    choices = Choices(
        config=config,
        values=plain_values(settings, values),
        user=_user_of(options),
        unit=_place(options.systemd, "systemd", config),
        environment=_place(options.environment_file, "environment", config),
        proxy=proxy,
        proxy_file=proxy_file,
        certificate=options.certificate,
        certificate_key=options.certificate_key,
    )
    if proxy and not choices.public_host:
        raise ConfigurationError(
            f"--{proxy} needs the name that browsers ask for; add --public-url "
            "https://chat.example."
        )
    return _with_people(options, choices, settings)


def plain_values(settings: Settings, keys: Iterable[str]) -> dict[str, Any]:
    """Return settings by key as a file says them: text, numbers and lists."""
    found: dict[str, Any] = {}
    for key in keys:
        value: Any = settings
        for name in key.split("."):
            value = getattr(value, name)
        value = value.reveal() if isinstance(value, Secret) else value
        found[key] = list(value) if isinstance(value, tuple) else value
    return found


def made_password() -> str:
    """Return a password that nobody guesses."""
    return secrets.token_urlsafe(16)


def _set_values(said: Sequence[str]) -> dict[str, Any]:
    known = {key for key, _, _ in setting_keys()}
    values: dict[str, Any] = {}
    for text in said:
        key, sign, value = text.partition("=")
        if not sign or key not in known:
            raise ConfigurationError(
                f"--set {key!r} names no setting; write KEY=VALUE with a key of "
                "docs/reference/settings.md, such as mail.host=smtp.example.cn."
            )
        values |= read_environment({environment_name(key): value})
    return values


def _user_of(options: argparse.Namespace) -> str:
    is_wanted = is_root() and (options.user or options.systemd is not None)
    return (options.user or "kefu") if is_wanted else ""


def _place(said: str | None, kind: str, config: Path) -> Path | None:
    if said is None:
        return None
    return Path(said) if said else usual_place(kind, config)


def _proxy_of(options: argparse.Namespace, config: Path) -> tuple[Proxy, Path | None]:
    if options.nginx is not None and options.caddy is not None:
        raise ConfigurationError("One proxy is enough: say --nginx or --caddy.")
    if options.nginx is not None:
        return "nginx", _place(options.nginx, "nginx", config)
    if options.caddy is not None:
        return "caddy", _place(options.caddy, "caddy", config)
    return "", None


def _with_people(
    options: argparse.Namespace, choices: Choices, settings: Settings
) -> tuple[Choices, str]:
    site = admin = None
    password = shown = ""
    if options.site:
        origins = options.origin or [settings.origins[0]]
        site = make_site(options.site, origins, options.locale)
    elif options.origin:
        raise ConfigurationError("--origin belongs to a site; add --site NAME.")
    if options.admin:
        if options.generate_password:
            password = shown = made_password()
        elif options.dry_run:
            # Nothing is kept, so nothing is asked for.
            password = made_password()
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        name = options.admin_name or options.admin
        admin = make_agent(options.admin, name, password, is_admin=True)
    return msgspec.structs.replace(choices, site=site, admin=admin), shown
