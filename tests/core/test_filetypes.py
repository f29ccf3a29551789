"""What a file is by its bytes, and what becomes of hostile names."""

import unicodedata
from email.message import Message
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kefu_core.filetypes import (
    NAME_CHARS_MAX,
    PICTURES,
    PROGRAM,
    UNKNOWN,
    attachment,
    clean_name,
    ending_of,
    sniff,
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("报价单.pdf", "报价单.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\a.txt", "a.txt"),
        ("a\0b.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x=1.txt", "a Set-Cookie_ x=1.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\u200b\u200d\ufeff.png", "a.png"),
        ("  . . ", "file"),
        ("", "file"),
        ("..", "file"),
        ("con.txt", "_con.txt"),
        ("NUL", "_NUL"),
        ('a"b<c>|?*.txt', "a_b_c____.txt"),
        ("e\u0301.txt", "é.txt"),
        ("a\u2028b.txt", "a b.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_a_name_shows_what_it_is(name: str, shown: str) -> None:
    assert clean_name(name) == shown


def test_a_long_name_keeps_its_ending() -> None:
    assert len(clean_name("长" * 5_000)) == NAME_CHARS_MAX
    assert clean_name("长" * 300 + ".pdf").endswith("长.pdf")


@given(st.text())
@example("/" * 10)
@example(".\u202e.")
def test_any_name_is_harmless_afterwards(name: str) -> None:
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= NAME_CHARS_MAX
    assert PurePosixPath(cleaned).name == PureWindowsPath(cleaned).name == cleaned
    assert not {unicodedata.category(c)[0] for c in cleaned} & {"C"}
    assert clean_name(cleaned) == cleaned


@given(st.text())
def test_a_header_has_one_name_whatever_it_is(name: str) -> None:
    cleaned = clean_name(name)
    value = attachment(cleaned)
    assert value.isascii()
    assert value.isprintable()
    message = Message()
    message["content-disposition"] = value
    assert message.get_content_disposition() == "attachment"
    assert unquote(value.partition("filename*=UTF-8''")[2]) == cleaned


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", UNKNOWN),
        (b"%PDF-1.7", "application/pdf"),
        (b"MZ\x90", PROGRAM),
        (b"#!/bin/sh", PROGRAM),
        (b"<html>", UNKNOWN),
        (b"<svg xmlns=", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_bytes_say_what_a_file_is(head: bytes, media_type: str) -> None:
    assert sniff(head) == media_type


@given(st.binary(max_size=64))
def test_nothing_that_a_browser_runs_is_ever_named(head: bytes) -> None:
    assert sniff(head) in PICTURES | {UNKNOWN, PROGRAM, "application/pdf"}


def test_endings_are_in_small_letters() -> None:
    assert [ending_of(name) for name in ("a.PDF", "a", "a.tar.GZ", ".x")] == [
        "pdf",
        "",
        "gz",
        "x",
    ]
