"""`kefu db copy` as an operator uses it."""

from pathlib import Path

from tests.server.process import kefu
from tests.server.test_exporting import fill


def test_an_installation_moves_to_another_file(tmp_path: Path) -> None:
    fill(tmp_path)
    target = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    done = kefu(tmp_path, "db", "copy", "--to", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert "message\t13 rows, the same on both sides\n" in done.stdout
    moved = {"KEFU_DATABASE_URL": target}
    audit = kefu(tmp_path, "audit", **moved)
    assert audit.stdout == "3 conversations, 13 messages: sound\n"
    again = kefu(tmp_path, "db", "copy", "--to", target)
    assert (again.returncode, "name an empty database" in again.stderr) == (1, True)


def test_no_url_is_shown_since_it_may_hold_a_password(tmp_path: Path) -> None:
    fill(tmp_path)
    for wrong in ("nonsense://u:hunter2@h/x", "sqlite+aiosqlite:////no/hunter2/x.db"):
        done = kefu(tmp_path, "db", "copy", "--to", wrong)
        assert done.returncode == 2
        assert wrong not in done.stderr
        assert done.stderr.count("\n") == 1
