"""The services of a file: what is wrong with it is said, and no key with it."""

from pathlib import Path

import pytest

from kefu_core.errors import ConfigurationError
from kefu_server.cli import main
from kefu_server.sections import TranslationSettings
from kefu_server.settings import Settings
from kefu_server.translating import make_translators


def named(file: Path) -> Settings:
    return Settings(translation=TranslationSettings(file=str(file)))


def test_services_are_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "services.toml"
    file.write_text("""
[openai]
key = "sk-canary"
model = "small"
[deepl]
key = "canary:fx"
[libretranslate]
url = "http://127.0.0.1:5000"
""")
    names = [each.name for each in make_translators(named(file))]
    assert names == ["openai", "deepl", "libretranslate"]
    assert not make_translators(Settings())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[deepl]", "deepl"),
        ("[deepl]\nkey = 5", "deepl"),
        ('deepl = "canary"', "[deepl]"),
        ('[moon]\nkey = "canary"', "moon"),
        ('[deepl]\nkey = "canary', "TOML"),
    ],
)
def test_what_is_wrong_with_it_is_said_without_its_values(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "services.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        make_translators(named(file))
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"services\.toml"):
        make_translators(named(tmp_path / "services.toml"))


def test_the_command_says_what_each_service_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["translate", "hello", "--to", "zh-CN"]) == 2
    assert "translation.file" in capsys.readouterr().err
    file = tmp_path / "services.toml"
    file.write_text('[libretranslate]\nurl = "http://127.0.0.1:9"\ntimeout_s = 2.0\n')
    monkeypatch.setenv("KEFU_TRANSLATION_FILE", str(file))
    assert main(["translate", "hello", "--to", "no tag"]) == 2
    assert "zh-CN" in capsys.readouterr().err
    assert main(["translate", "hello", "--to", "zh-CN"]) == 1
    assert capsys.readouterr().out.startswith("libretranslate: failed (later)")
