"""Every kind of record is listed, and what must be unique is a field of it."""

import msgspec

from kefu_core import records as r


def test_every_kind_is_listed_once() -> None:
    assert set(r.RECORD_KINDS) == set(r.Record.__subclasses__())
    assert len(set(r.RECORD_KINDS)) == len(r.RECORD_KINDS)


def test_what_must_be_unique_are_fields() -> None:
    for kind, groups in r.UNIQUE.items():
        names = {field.name for field in msgspec.structs.fields(kind)}
        assert all(set(group) <= names for group in groups)
