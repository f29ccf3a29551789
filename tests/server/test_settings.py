"""Settings: what is taken, what is refused, and what the refusal says."""

import os
import stat
from pathlib import Path

import pytest

from kefu_core.errors import ConfigurationError
from kefu_core.origins import check_origin
from kefu_server.sections import Secret
from kefu_server.settings import (
    Settings,
    environment_name,
    load_secret,
    load_settings,
    setting_keys,
)
from kefu_server.settings_docs import PAGE, page


def load(toml: str, tmp_path: Path, **environ: str) -> Settings:
    path = tmp_path / "kefu.toml"
    path.write_text(toml, "utf-8")
    return load_settings(path, environ)


def refusal(toml: str, tmp_path: Path, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(toml, tmp_path, **environ)
    return str(raised.value)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load("", tmp_path) == Settings()


def test_file_sections_and_environment_are_joined_and_the_environment_wins(
    tmp_path: Path,
) -> None:
    settings = load(
        'bind = "127.0.0.1:1"\n[limits]\nheartbeat_s = 7\nstop_s = 3.5\n',
        tmp_path,
        KEFU_BIND="127.0.0.1:2",
        KEFU_LIMITS_HEARTBEAT_S="9",
        KEFU_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
        PATH="is not ours",
    )
    assert settings.bind == "127.0.0.1:2"
    assert (settings.limits.heartbeat_s, settings.limits.stop_s) == (9.0, 3.5)
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("toml", "parts"),
    [
        ("bnd = 1", ["'bnd'", "did you mean 'bind'?"]),
        ("[limits]\nheartbeats = 1", ["'limits.heartbeats'", "'limits.heartbeat_s'"]),
        ("bind = 5", ["bind = 5", "not a text", "127.0.0.1:8080"]),
        ('bind = "8080"', ["bind = '8080'", "127.0.0.1:8080"]),
        ('bind = "127.0.0.1:99999"', ["99999", "127.0.0.1:8080"]),
        ('bind = "0.0.0.0:80"', ["bind = '0.0.0.0:80'", "public_url must be set"]),
        ('log_level = "loud"', ["log_level = 'loud'", "debug, info, warning, error"]),
        ("[limits]\nframe_bytes_max = 1.5", ["frame_bytes_max = 1.5", "65536"]),
        ("[limits]\nstop_s = 0", ["limits.stop_s = 0", "not above zero", "10.0"]),
        ("[limits]\nstop_s = nan", ["limits.stop_s = nan", "10.0"]),
        ('public_url = "https://a.example/"', ["'https://a.example/'", "no path"]),
        ('trusted_proxies = ["proxy"]', ["'proxy'", "10.0.0.0/8"]),
        ('[webhooks]\nallow = ["intranet"]', ["webhooks.allow", "10.0.0.0/8"]),
        ('[mail]\nhost = "h"', ["mail.sender = ''", "kefu@shop.example"]),
        (
            '[mail]\nhost = "h"\nsender = "a\\n@b.example"',
            ["mail.sender", "kefu@shop.example"],
        ),
        (
            '[mail]\nhost = "h"\nsender = "a@b.example"\nport = 0',
            ["mail.port = 0", "587"],
        ),
        (
            '[mail]\nhost = "h"\nsender = "a@b.example"\ntls = "none"\nlogin = "a"',
            ["mail.tls = 'none'", "'h'", "unencrypted"],
        ),
        ('traces_url = "collector:4317"', ["'collector:4317'", "/v1/traces"]),
        ("limits = 3", ["'limits'"]),
        ("bind = ", ["not valid TOML", "at end"]),
    ],
)
def test_a_wrong_value_names_the_key_the_value_and_the_fix(
    toml: str, parts: list[str], tmp_path: Path
) -> None:
    text = refusal(toml, tmp_path)
    assert [part for part in parts if part not in text] == []
    assert "\n" not in text


def test_an_unknown_environment_variable_of_ours_is_refused(tmp_path: Path) -> None:
    text = refusal("", tmp_path, KEFU_PUBLIC_ULR="https://chat.example")
    assert "KEFU_PUBLIC_ULR" in text
    assert "'KEFU_PUBLIC_URL'" in text


def test_a_missing_file_is_refused_when_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})


def test_no_two_keys_share_an_environment_variable() -> None:
    keys = [key for key, _, _ in setting_keys()]
    assert len({environment_name(key) for key in keys}) == len(keys)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    canary = "canary-canary-canary-canary-canary"
    settings = load(
        f'secret = "{canary}"\ndatabase_url = "mysql+asyncmy://u:{canary}@h/d"',
        tmp_path,
    )
    assert settings.secret.reveal() == canary
    assert canary not in repr(settings) + str(settings.secret) + f"{settings}"
    assert "secret=***" in repr(settings)


def test_an_error_about_a_secret_does_not_repeat_it(tmp_path: Path) -> None:
    assert "12345" not in refusal("secret = 12345", tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        load_secret(Settings(secret=Secret("short-canary")))
    assert "short-canary" not in str(raised.value)
    assert "at least 32" in str(raised.value)


def test_the_database_is_a_file_in_the_data_dir_unless_a_url_is_given() -> None:
    assert Settings().database == "sqlite+aiosqlite:///kefu-data/kefu.db"
    given = Settings(database_url=Secret("sqlite+aiosqlite:///x.db"))
    assert given.database == "sqlite+aiosqlite:///x.db"


def test_the_secret_is_made_once_readable_by_the_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    first = load_secret(settings)
    assert load_secret(settings) == first
    assert len(first) >= 32
    mode = (tmp_path / "data" / "secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 40)
    os.chmod(path, 0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_secret(Settings(secret_file=str(path)))


def test_a_secret_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_secret(Settings(secret_file=str(tmp_path / "none")))


def test_with_a_public_url_it_is_the_only_origin() -> None:
    settings = Settings(bind="0.0.0.0:80", public_url="https://chat.example")
    assert settings.origins == ("https://chat.example",)
    assert settings.is_secure


def test_on_loopback_every_name_of_it_is_an_origin() -> None:
    assert Settings(bind="127.0.0.1:81").origins == (
        "http://127.0.0.1:81",
        "http://localhost:81",
        "http://[::1]:81",
    )
    assert Settings(bind="localhost:80").origins[0] == "http://localhost"


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example",
        "http://127.0.0.1:81",
        "http://[::1]:81",
        "https://xn--fiq.example",
    ],
)
def test_origins_as_browsers_write_them_are_taken(text: str) -> None:
    assert check_origin(text, "key", "example") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "a.example",
        "ftp://a.example",
        "https://A.example",
        "https://a.example/",
        "https://a.example:443",
        "https://u@a.example",
        "https://a.example?x",
        "https://中.example",
        "https://a.example; script-src *",
        "https://a.example https://b.example",
        "https://a.example:x",
        "https://[",
    ],
)
def test_other_spellings_of_an_origin_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write for example"):
        check_origin(text, "key", "https://shop.example")


def test_the_page_of_settings_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('endpoint = "minio:9000"', "without the bucket"),
        ('endpoint = "https://minio/shop"', "without the bucket"),
        ('endpoint = "https://"', "without the bucket"),
        ('access_key = "a"', "files.secret_key = '' is missing"),
        ('secret_key = "b"', "files.access_key = '' is missing"),
        ('addressing = "host"', "is not one of path, virtual"),
    ],
)
def test_a_bucket_that_cannot_be_reached_is_refused(
    line: str, said: str, tmp_path: Path
) -> None:
    told = refusal(f'[files]\nbucket = "shop"\n{line}', tmp_path)
    assert said in told
    assert "'b'" not in told
