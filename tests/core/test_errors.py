"""What errors say, and what a close code tells a client to do."""

import inspect

import pytest

from kefu_core import errors
from kefu_core.errors import (
    Busy,
    CloseCode,
    ConnectionClosed,
    ErrorCode,
    KefuError,
    NotFound,
    OutOfOrder,
    Retry,
    StoreUnavailable,
    TooMany,
)

ALL = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, KefuError)
]


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_a_sentence_without_being_told_one(error: type) -> None:
    if error is ConnectionClosed:
        return
    text = error().text
    assert text == str(error())
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize("error", ALL)
def test_every_error_has_a_code_of_the_wire_and_a_retry(error: type[KefuError]) -> None:
    assert error.code in ErrorCode
    assert error.retry in Retry


def test_what_is_temporary_says_so() -> None:
    for error in (Busy, TooMany, OutOfOrder, StoreUnavailable):
        assert error.retry is Retry.SAME
    assert NotFound.retry is Retry.NONE
    assert Busy(retry_after_s=2.5).retry_after_s == 2.5


def test_own_words_win_over_the_docstring() -> None:
    assert str(NotFound("No such tea.")) == "No such tea."


def test_a_closed_connection_says_with_what() -> None:
    closed = ConnectionClosed(4200, "restart")
    assert (closed.close_code, closed.reason) == (4200, "restart")
    assert str(closed) == "closed with 4200 restart"
    assert ConnectionClosed().close_code == 1006


@pytest.mark.parametrize("code", list(CloseCode))
def test_a_close_code_is_final_below_4100(code: CloseCode) -> None:
    assert code.may_reconnect == (code >= 4100)


def test_codes_on_the_wire_never_change() -> None:
    assert {code.name: code.value for code in CloseCode} == {
        "NORMAL": 1000,
        "BAD_PROTOCOL": 4000,
        "UNAUTHORIZED": 4001,
        "VERSION": 4002,
        "BANNED": 4003,
        "OVERLOADED": 4100,
        "RESTART": 4200,
        "SILENT": 4201,
        "SLOW": 4202,
        "TOKEN_EXPIRED": 4203,
        "SUPERSEDED": 4204,
    }
