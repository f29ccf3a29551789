"""Rows of document ids: short, and read as they were written."""

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.ids import ID_MAX, document_id_at
from kefu_core.store.postings import (
    ROW_DOCUMENTS_MAX,
    decode,
    encode,
    rows_of,
    term_number,
)

documents = st.sets(st.integers(0, ID_MAX), min_size=1, max_size=300).map(sorted)
steps = st.lists(
    st.one_of(st.integers(1, 300), st.integers(1, 2**20)), min_size=1, max_size=300
)


@given(documents)
def test_documents_come_back_the_newest_first(ids: list[int]) -> None:
    assert decode(ids[-1], encode(ids)) == ids[::-1]


@given(steps)
def test_near_documents_come_back_as_well(apart: list[int]) -> None:
    ids = [sum(apart[: at + 1]) for at in range(len(apart))]
    assert decode(ids[-1], encode(ids)) == ids[::-1]


@given(st.sets(st.integers(0, ID_MAX), min_size=1, max_size=ROW_DOCUMENTS_MAX * 2 + 5))
def test_rows_hold_all_documents_and_do_not_overlap(ids: set[int]) -> None:
    rows = [decode(newest, rest)[::-1] for newest, rest in rows_of(sorted(ids))]
    assert [document for row in rows for document in row] == sorted(ids)
    assert all(len(row) == ROW_DOCUMENTS_MAX for row in rows[:-1])


def test_a_term_that_occurs_once_costs_nothing_and_a_frequent_one_three_bytes() -> None:
    assert encode([7]) == b""
    # One in a thousand of five million messages a year.
    apart = [document_id_at(1_700_000_000_000 + n * 6_300_000) for n in range(2_000)]
    assert len(encode(apart)) < 2_000
    uneven = [document + (n * n % 4_001 << 16) for n, document in enumerate(apart)]
    assert len(encode(sorted(uneven))) < 3.4 * 2_000


def test_a_term_is_the_same_number_in_every_process() -> None:
    assert term_number("发货") == 4707522194361386842
    assert -(2**63) <= term_number("x") < 2**63
