"""A SQLite file has one server, and lies on a disk of this machine."""

from pathlib import Path

import pytest

from kefu_core.errors import ConfigurationError
from kefu_server.one_server import file_of, only_server, refuse_network, type_of
from tests.server.process import ServerProcess, kefu

MOUNTS = r"""/dev/vda / ext4 rw 0 0
tmpfs /srv tmpfs rw 0 0
nas:/shop /srv/shop\040data nfs4 rw 0 0
//nas/x /mnt cifs rw 0 0
"""


def test_a_second_server_refuses_in_one_sentence_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    with ServerProcess(tmp_path) as server:
        second = kefu(tmp_path, "serve")
        assert second.returncode == 2
        assert "Another kefu serves" in second.stderr
        assert "Traceback" not in second.stderr
        # Commands are welcome beside it.
        assert kefu(tmp_path, "agent", "list").returncode == 0
        assert b"200" in server.exchange(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
        server.start_again()


def test_whoever_was_killed_leaves_the_file_free(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/kefu.db"
    with (
        only_server(url),
        pytest.raises(ConfigurationError, match="Another kefu"),
        only_server(url),
    ):
        pass
    with only_server(url):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "mysql+asyncmy://u:p@h/kefu",
        "postgresql+asyncpg://u:p@h/kefu",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
    ],
)
def test_what_is_no_file_is_not_locked(url: str) -> None:
    assert file_of(url) is None
    with only_server(url), only_server(url):
        pass


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/kefu.db", "ext4"),
        ("/srv/kefu.db", "tmpfs"),
        ("/srv/shop data/kefu.db", "nfs4"),
        ("/srv/shop data of mine/kefu.db", "tmpfs"),
        ("/mnt/a/b/kefu.db", "cifs"),
    ],
)
def test_a_file_system_is_known_by_its_longest_mount(
    tmp_path: Path, place: str, kind: str
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert type_of(Path(place), mounts) == kind
    assert type_of(Path(place), tmp_path / "none") == ""


def test_a_network_is_refused_with_what_to_do() -> None:
    refuse_network(Path("kefu.db"), "ext4")
    with pytest.raises(ConfigurationError, match=r"nfs4.*data_dir"):
        refuse_network(Path("kefu.db"), "nfs4")
