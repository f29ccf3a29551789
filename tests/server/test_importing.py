"""`kefu import` as an operator uses it."""

from pathlib import Path

from tests.server.process import kefu
from tests.server.test_exporting import fill


def test_an_archive_goes_into_another_installation_once(tmp_path: Path) -> None:
    fill(tmp_path)
    kefu(tmp_path, "export", "--out", "all.jsonl")
    other = {"KEFU_DATA_DIR": str(tmp_path / "other")}
    done = kefu(tmp_path, "import", "all.jsonl", **other)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Read 3 conversations with 13 messages: "
        "3 conversations and 13 messages are new.\n"
    )
    again = kefu(tmp_path, "import", "all.jsonl", **other)
    assert again.stdout == "Read 3 conversations with 13 messages: nothing is new.\n"
    audit = kefu(tmp_path, "audit", **other)
    assert audit.stdout == "3 conversations, 13 messages: sound\n"
    listed = kefu(tmp_path, "agent", "list", **other).stdout
    assert listed == "imported-7\tagent\t安娜 (inactive)\n"


def test_what_does_not_fit_is_told_by_line_and_status_1(tmp_path: Path) -> None:
    fill(tmp_path)
    kefu(tmp_path, "export", "--out", "all.jsonl")
    path = tmp_path / "all.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:2], '{"t":"\\u001b[31m"}\n', *lines[2:]]), "utf-8")
    done = kefu(tmp_path, "import", "all.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("kefu: line 3: cannot be read:")
    assert "\x1b" not in done.stderr
    assert done.stdout.endswith("nothing is new.\n")


def test_what_is_no_archive_or_no_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x1f\x8b\x08\x00")
    for name, part in (("x", "no archive"), ("y", "cannot be read"), (".", "read")):
        done = kefu(tmp_path, "import", name)
        assert (done.returncode, part in done.stderr) == (1, True)
        assert done.stderr.count("\n") == 1
    piped = kefu(tmp_path, "import", "-", text="rubbish\n")
    assert (piped.returncode, "no archive" in piped.stderr) == (1, True)
