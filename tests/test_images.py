"""The Dockerfile and the compose files, as far as no Docker is needed to check them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu_server.settings import load_settings

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "deploy" / "compose"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
BUILD, FINAL = DOCKERFILE.split("\nFROM ")[1:]
SAID = {"KEFU_PUBLIC_URL": "https://chat.example", "KEFU_DATABASE_PASSWORD": "abc12"}
SERVERS = ("mariadb", "postgres", "mssql")


def composed(name: str) -> dict[str, Any]:
    """Read a file as compose does, with its variables and what it extends."""

    def value(found: re.Match[str]) -> str:
        return SAID[found.group(1)]

    text = (COMPOSE / f"{name}.yaml").read_text("utf-8")
    tree = yaml.safe_load(re.sub(r"(?<!\$)\$\{(\w+)(?::\?[^}]*)?\}", value, text))
    kefu = tree["services"]["kefu"]
    if base := kefu.pop("extends", None):
        assert base == {"file": "kefu.yaml", "service": "kefu"}
        more = composed("kefu")
        assert more["networks"] == tree["networks"], "extending does not bring them"
        started = more["services"]["kefu"]
        kefu["environment"] = started["environment"] | kefu["environment"]
        tree["services"]["kefu"] = started | kefu
    return tree


@pytest.mark.parametrize("name", ["kefu", *SERVERS])
def test_a_compose_file_starts_kefu_with_settings_that_it_takes(name: str) -> None:
    tree = composed(name)
    kefu = tree["services"]["kefu"]
    image = dict(re.findall(r"\b(KEFU_\w+)=(\S+)", FINAL))
    settings = load_settings(environ=image | kefu["environment"])
    (network,) = tree["networks"]["default"]["ipam"]["config"]
    assert settings.trusted_proxies == (network["gateway"],)
    # What each keeps is in a volume that has a name.
    kept = [each for one in tree["services"].values() for each in one["volumes"]]
    assert {each.partition(":")[0] for each in kept} == set(tree["volumes"])
    assert kefu["volumes"] == [f"data:{settings.data_dir}"]
    assert int(kefu["stop_grace_period"].rstrip("s")) > settings.limits.stop_s
    assert (kefu["read_only"], kefu["cap_drop"]) == (True, ["ALL"])
    if name != "kefu":
        assert f"@{name}/kefu" in settings.database_url.reveal()
        assert kefu["depends_on"] == {name: {"condition": "service_healthy"}}
        assert tree["services"][name]["healthcheck"]["test"]
        assert "ports" not in tree["services"][name], "nobody else reaches it"


def test_the_image_has_all_drivers_and_no_compiler_and_runs_as_nobody_special() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (extras,) = re.findall(r"'/src\[(.*?)\]'", BUILD)
    assert set(extras.split(",")) == set(project["optional-dependencies"])
    assert "PIP_CONSTRAINT=/src/versions.txt" in BUILD
    users = re.findall(r"^USER (.*)$", FINAL, re.MULTILINE)
    assert users == ["kefu"]
    assert "HEALTHCHECK" in FINAL
    assert not re.search(r"\b(gcc|build-essential|python3-dev|pip)\b", FINAL)


def test_what_the_image_is_made_of_is_there_and_passed_on() -> None:
    passed_on = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for sources, _ in re.findall(r"^COPY ([^-].*) (\S+)$", BUILD, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in passed_on


def test_every_line_of_the_lock_binds_the_image() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (pattern,) = re.findall(r"sed -n 's/(.*?)/\\1/p'", BUILD)
    python = pattern.replace(r"\(", "(").replace(r"\)", ")")
    bound = re.findall(python, lock, re.MULTILINE)
    assert len(bound) == len(re.findall(r"^[a-z0-9]\S*==", lock, re.MULTILINE)) > 100
