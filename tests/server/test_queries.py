"""Query strings become structs, or a sentence that names the parameter."""

from enum import StrEnum
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from kefu_core.errors import Invalid
from kefu_server.queries import NoParameters, read_query


class Colour(StrEnum):
    RED = "red"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    q: Annotated[str, msgspec.Meta(min_length=1)]
    from_: int | None = msgspec.field(default=None, name="from")
    colour: Colour | None = None
    limit: int = 20


def request(query: bytes) -> Request:
    return Request({"type": "http", "query_string": query, "headers": []})


def test_what_is_left_out_has_its_default() -> None:
    assert read_query(request(b"q=a"), Asked) == Asked(q="a")


def test_texts_become_what_the_fields_are() -> None:
    asked = read_query(request(b"q=%E5%8F%91+%26&from=5&colour=red&limit=7"), Asked)
    assert asked == Asked(q="发 &", from_=5, colour=Colour.RED, limit=7)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (b"", "The parameter 'q' is missing."),
        (b"q=a&q=a", "The parameter 'q' is given twice."),
        (
            b"q=a&from_=5",
            "There is no parameter 'from_' here; there are: q, from, colour, limit.",
        ),
        (b"q=a%00", "The parameter 'q' is wrong: it holds a NUL."),
        (b"q=a&from=null", "The parameter 'from' is wrong: Expected `int`, got `str`."),
    ],
)
def test_a_refusal_names_the_parameter(query: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(request(query), Asked)
    assert str(refused.value) == sentence


def test_where_there_are_no_parameters_none_is_taken() -> None:
    assert read_query(request(b""), NoParameters) == NoParameters()
    with pytest.raises(Invalid, match="there are: none"):
        read_query(request(b"a=1"), NoParameters)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(query: bytes) -> None:
    try:
        assert isinstance(read_query(request(query), Asked), Asked)
    except Invalid:
        pass
