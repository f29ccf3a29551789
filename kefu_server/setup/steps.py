"""The questions of `kefu init`, a function a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from kefu_core.desk.offline import check_email
from kefu_core.errors import ConfigurationError, KefuError
from kefu_core.origins import check_origin
from kefu_server import accounts
from kefu_server.checks import Check
from kefu_server.checks.certificates import check_certificate
from kefu_server.checks.databases import check_database
from kefu_server.checks.folders import check_files, check_folder
from kefu_server.checks.mail import check_mail
from kefu_server.checks.ports import check_port
from kefu_server.checks.users import check_user
from kefu_server.passwords import check_new_password
from kefu_server.setup import flags
from kefu_server.setup.choices import Choices, Proxy
from kefu_server.setup.making import settings_of
from kefu_server.setup.services import SERVICES
from kefu_server.setup.trial import examine_services, has_admin

if TYPE_CHECKING:
    from kefu_server.setup.wizard import Wizard

_DRIVERS = {
    "mysql": ("mysql+asyncmy", "3306"),
    "postgres": ("postgresql+asyncpg", "5432"),
    "mssql": ("mssql+aioodbc", "1433"),
}
_ODBC = "?driver=ODBC+Driver+18+for+SQL+Server"


def _keeps(choices: Choices, key: str) -> str:
    return str(choices.values.get(key, ""))


# -- where it is reached ---------------------------------------------------------------


def ask_address(wizard: Wizard, choices: Choices) -> Choices:
    """Ask who stands before the server, and for the URL, the port, the certificate."""
    words, terminal = wizard.words, wizard.terminal
    front = terminal.choose(
        words("ask.front"),
        [
            (name, words(f"front.{name}"))
            for name in ("nginx", "caddy", "other", "none")
        ],
    )
    proxy: Proxy = front if front in {"nginx", "caddy"} else ""  # type: ignore[assignment]
    choices = msgspec.structs.replace(choices, proxy=proxy)
    if front == "none":
        choices = choices.with_value("public_url", "")
    else:
        url = terminal.ask(
            words("ask.public_url"),
            _keeps(choices, "public_url"),
            _check_public_url,
            "url",
        )
        choices = choices.with_value("public_url", url)
        if not choices.values.get("trusted_proxies"):
            choices = choices.with_value("trusted_proxies", ["127.0.0.1"])
    choices = wizard.until_good(choices, lambda c: _ask_bind(wizard, c), _look_at_port)
    if proxy == "nginx":
        return wizard.until_good(
            choices, lambda c: _ask_certificate(wizard, c), _look_at_certificate
        )
    return choices


def _check_public_url(text: str) -> None:
    check_origin(text, "public_url", "https://chat.example")


def _ask_bind(wizard: Wizard, choices: Choices) -> Choices:
    def check(text: str) -> None:
        settings_of(choices.with_value("bind", text))

    usual = _keeps(choices, "bind") or "127.0.0.1:8080"
    return choices.with_value(
        "bind", wizard.terminal.ask(wizard.words("ask.bind"), usual, check, "bind")
    )


async def _look_at_port(choices: Choices) -> list[Check]:
    return [check_port(settings_of(choices).bind)]


def _ask_certificate(wizard: Wizard, choices: Choices) -> Choices:
    host = choices.public_host
    folder = f"/etc/letsencrypt/live/{host}"
    return msgspec.structs.replace(
        choices,
        certificate=wizard.terminal.ask(
            wizard.words("ask.certificate"),
            choices.certificate or f"{folder}/fullchain.pem",
        ),
        certificate_key=wizard.terminal.ask(
            wizard.words("ask.certificate_key"),
            choices.certificate_key or f"{folder}/privkey.pem",
        ),
    )


async def _look_at_certificate(choices: Choices) -> list[Check]:
    paths = (choices.certificate, choices.certificate_key)
    return [check_certificate(*paths, choices.public_host)]


# -- what is kept ----------------------------------------------------------------------


def ask_database(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for the folder of data, and for the database."""
    choices = wizard.until_good(
        choices, lambda c: _ask_folder(wizard, c), _look_at_folder
    )
    return wizard.until_good(
        choices, lambda c: _ask_database(wizard, c), _look_at_database
    )


def _ask_folder(wizard: Wizard, choices: Choices) -> Choices:
    usual = _keeps(choices, "data_dir") or flags.usual_data_dir()
    folder = Path(wizard.terminal.ask(wizard.words("ask.data_dir"), usual))
    return choices.with_value("data_dir", str(folder.expanduser().absolute()))


async def _look_at_folder(choices: Choices) -> list[Check]:
    return [check_folder(Path(settings_of(choices).data_dir))]


def _ask_database(wizard: Wizard, choices: Choices) -> Choices:
    words, terminal = wizard.words, wizard.terminal
    names = ["sqlite", "mysql", "postgres", "mssql", "url"]
    if _keeps(choices, "database_url"):
        names.insert(0, "same")
    kind = terminal.choose(
        words("ask.database"), [(name, words(f"database.{name}")) for name in names]
    )
    if kind == "same":
        return choices
    if kind == "sqlite":
        return choices.with_value("database_url", "")
    if kind == "url":
        url = terminal.ask_secret(words("ask.database_url")).strip()
        return choices.with_value("database_url", url)
    driver, port = _DRIVERS[kind]
    host = terminal.ask(words("ask.database_host"), "127.0.0.1")
    port = terminal.ask(words("ask.port"), port, _check_port, "port")
    name = terminal.ask(words("ask.database_name"), "kefu")
    user = terminal.ask(words("ask.database_user"), "kefu")
    password = terminal.ask_secret(words("ask.database_password"))
    account = f"{quote(user, safe='')}:{quote(password, safe='')}"
    shown = f"[{host}]" if ":" in host else host
    url = f"{driver}://{account}@{shown}:{port}/{quote(name, safe='')}"
    return choices.with_value("database_url", url + (_ODBC if kind == "mssql" else ""))


def _check_port(text: str) -> None:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65_535):
        raise ConfigurationError(f"{text!r} is not a port; write for example 3306.")


async def _look_at_database(choices: Choices) -> list[Check]:
    return await check_database(settings_of(choices).database)


def ask_files(wizard: Wizard, choices: Choices) -> Choices:
    """Ask whether files go into a bucket."""
    words = wizard.words
    usual = bool(_keeps(choices, "files.bucket"))
    if not wizard.terminal.agree(words("ask.bucket"), usual=usual):
        return choices.with_value("files.bucket", "")
    return wizard.until_good(choices, lambda c: _ask_bucket(wizard, c), _look_at_files)


def _ask_bucket(wizard: Wizard, choices: Choices) -> Choices:
    for name in ("bucket", "endpoint", "region", "prefix", "access_key"):
        key = f"files.{name}"
        usual = _keeps(choices, key) or ("us-east-1" if name == "region" else "")
        said = wizard.terminal.ask(wizard.words(f"ask.files.{name}"), usual)
        choices = choices.with_value(key, said)
    if _keeps(choices, "files.access_key"):
        secret = wizard.terminal.ask_secret(wizard.words("ask.files.secret_key"))
        # An empty answer leaves what there was.
        if secret:
            choices = choices.with_value("files.secret_key", secret)
    how = wizard.terminal.choose(
        wizard.words("ask.files.addressing"),
        [(n, wizard.words(f"addressing.{n}")) for n in ("path", "virtual")],
    )
    return choices.with_value("files.addressing", how)


async def _look_at_files(choices: Choices) -> list[Check]:
    return [await check_files(settings_of(choices))]


# -- what goes out ---------------------------------------------------------------------


def ask_mail(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for the mail server."""
    usual = bool(_keeps(choices, "mail.host"))
    if not wizard.terminal.agree(wizard.words("ask.mail"), usual=usual):
        return choices.with_value("mail.host", "")
    return wizard.until_good(choices, lambda c: _ask_mail(wizard, c), _look_at_mail)


def _ask_mail(wizard: Wizard, choices: Choices) -> Choices:
    words, terminal = wizard.words, wizard.terminal
    choices = choices.with_value(
        "mail.host",
        terminal.ask(words("ask.mail_host"), _keeps(choices, "mail.host")),
    )
    tls = terminal.choose(
        words("ask.mail_tls"),
        [(name, words(f"tls.{name}")) for name in ("starttls", "tls", "none")],
    )
    usual = {"starttls": "587", "tls": "465", "none": "25"}[tls]
    port = int(terminal.ask(words("ask.port"), usual, _check_port, "port"))
    login = terminal.ask(words("ask.mail_login"), _keeps(choices, "mail.login"))
    choices = choices.with_value("mail.tls", tls).with_value("mail.port", port)
    choices = choices.with_value("mail.login", login)
    if login:
        password = terminal.ask_secret(words("ask.mail_password"))
        if password:
            choices = choices.with_value("mail.password", password)
    usual = _keeps(choices, "mail.sender") or (login if "@" in login else "")
    sender = terminal.ask(words("ask.mail_sender"), usual, check_email, "email")
    return choices.with_value("mail.sender", sender)


async def _look_at_mail(choices: Choices) -> list[Check]:
    return [await check_mail(settings_of(choices))]


def ask_translation(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for a service that translates."""
    words = wizard.words
    if _keeps(choices, "translation.file"):
        path = _keeps(choices, "translation.file")
        wizard.terminal.say(words("init.translation_there", path=path))
        return choices
    if not wizard.terminal.agree(words("ask.translation"), usual=False):
        return choices
    return wizard.until_good(
        choices, lambda c: _ask_service(wizard, c), _look_at_services
    )


def _ask_service(wizard: Wizard, choices: Choices) -> Choices:
    terminal, words = wizard.terminal, wizard.words
    name = terminal.choose(
        words("ask.service"), [(name, words(f"service.{name}")) for name in SERVICES]
    )
    table = {}
    for field in SERVICES[name]:
        question = words("ask.service_field", service=name, field=field.name)
        said = (
            terminal.ask_secret(question)
            if field.is_secret
            else terminal.ask(question, field.usual)
        )
        if said:
            table[field.name] = said
    return msgspec.structs.replace(choices, services={name: table})


async def _look_at_services(choices: Choices) -> list[Check]:
    return await examine_services(choices.services)


# -- who is there ----------------------------------------------------------------------


def ask_site(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for the first site."""
    terminal, words = wizard.terminal, wizard.words
    is_first = not has_admin(settings_of(choices))
    if not terminal.agree(words("ask.site"), usual=is_first):
        return choices
    name = terminal.ask(words("ask.site_name"), "", accounts.check_name, "name")
    origins = terminal.ask(
        words("ask.origins"), _keeps(choices, "public_url"), _check_origins, "origins"
    ).split()
    locale = terminal.choose(
        words("ask.locale"), [("zh-CN", "简体中文"), ("en", "English")]
    )
    site = accounts.make_site(name, origins, locale)
    return msgspec.structs.replace(choices, site=site)


def _check_origins(text: str) -> None:
    for origin in text.split() or [""]:
        check_origin(origin, "origin", "https://shop.example")


def ask_admin(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for the first admin, where there is none."""
    terminal, words = wizard.terminal, wizard.words
    if has_admin(settings_of(choices)):
        terminal.say(words("init.admin_there"))
        return choices
    if not terminal.agree(words("ask.admin"), usual=True):
        return choices
    login = terminal.ask(words("ask.login"), "admin", accounts.check_login, "login")
    name = terminal.ask(words("ask.agent_name"), login, accounts.check_name, "name")
    password = _ask_password(wizard, login)
    admin = accounts.make_agent(login, name, password, is_admin=True)
    return msgspec.structs.replace(choices, admin=admin)


def _ask_password(wizard: Wizard, login: str) -> str:
    terminal, words = wizard.terminal, wizard.words
    while True:
        password = terminal.ask_secret(words("ask.password"))
        if not password:
            wizard.password = flags.made_password()
            terminal.say(words("init.password_later"))
            return wizard.password
        try:
            check_new_password(password, login)
        except KefuError:
            terminal.say("✗ " + words("wrong.password"))
            continue
        if terminal.ask_secret(words("ask.password_again")) == password:
            return password
        terminal.say("✗ " + words("ask.passwords_differ"))


# -- what keeps it running -------------------------------------------------------------


def ask_service(wizard: Wizard, choices: Choices) -> Choices:
    """Ask for systemd's unit, the proxy's site and a file for secrets."""
    terminal, words = wizard.terminal, wizard.words
    config = choices.config
    if terminal.agree(words("ask.unit"), usual=Path("/run/systemd/system").is_dir()):
        place = terminal.ask(
            words("ask.place"), str(flags.usual_place("systemd", config))
        )
        choices = msgspec.structs.replace(choices, unit=Path(place).expanduser())
        if flags.is_root():
            choices = wizard.until_good(
                choices, lambda c: _ask_user(wizard, c), _look_at_user
            )
        if terminal.agree(words("ask.environment"), usual=False):
            usual = str(flags.usual_place("environment", config))
            path = Path(terminal.ask(words("ask.place"), usual)).expanduser()
            choices = msgspec.structs.replace(choices, environment=path)
    if choices.proxy and terminal.agree(
        words("ask.proxy_file", proxy=choices.proxy), usual=True
    ):
        usual = str(flags.usual_place(choices.proxy, config))
        path = Path(terminal.ask(words("ask.place"), usual)).expanduser()
        choices = msgspec.structs.replace(choices, proxy_file=path)
    return choices


def _ask_user(wizard: Wizard, choices: Choices) -> Choices:
    user = wizard.terminal.ask(wizard.words("ask.user"), choices.user or "kefu")
    return msgspec.structs.replace(choices, user=user)


async def _look_at_user(choices: Choices) -> list[Check]:
    return [check_user(choices.user)]
