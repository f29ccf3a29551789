"""Only what was looked at is installed: dependencies that exist, with digests."""

import base64
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def locked() -> dict[str, str]:
    """Return the version and what follows it of each package in the lock."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(.*)$", text, re.MULTILINE))


def test_every_package_is_locked_to_a_version_and_the_digests_of_its_files() -> None:
    packages = locked()
    assert len(packages) > 100
    for name, rest in packages.items():
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", rest), name
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"://|^-", text, re.MULTILINE), "from the registry alone"


def test_every_dependency_that_is_asked_for_is_one_that_was_found() -> None:
    """A name that nobody has registered is a name that anybody may register."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    lists: list[list[Any]] = [
        project["dependencies"],
        PROJECT["build-system"]["requires"],
    ]
    lists += [*project["optional-dependencies"].values(), *groups.values()]
    asked = [
        Requirement(each) for one in lists for each in one if isinstance(each, str)
    ]
    packages = locked()
    for each in asked:
        version = packages[canonicalize_name(each.name)].split()[0]
        assert each.specifier.contains(version), each


def test_every_package_for_javascript_has_its_digest_and_none_is_needed_to_run() -> (
    None
):
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    for name, one in packages.items():
        assert one.get("dev"), name
        kind, _, digest = one["integrity"].partition("-")
        assert (kind, len(base64.b64decode(digest))) == ("sha512", 64), name
