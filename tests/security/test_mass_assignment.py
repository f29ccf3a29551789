"""Nobody sets more than what a call is for: a field that is not named is refused."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from kefu_core.desk.calls import CALLS
from kefu_core.store.desk_tables import metadata

COLUMNS = sorted(
    {str(c.name) for table in metadata.tables.values() for c in table.columns}
)


def structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Return every struct that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in get_type_hints(kind, include_extras=False).values():
            yield from structs_in(field)
    for part in get_args(kind):
        yield from structs_in(part)


@pytest.mark.parametrize("method", sorted(CALLS))
def test_a_field_that_a_call_does_not_name_is_refused(method: str) -> None:
    for struct in structs_in(CALLS[method].params):
        assert struct.__struct_config__.forbid_unknown_fields, struct
        known = {field.encode_name for field in msgspec.structs.fields(struct)}
        for column in [*COLUMNS, "__class__", "sender", "seq", "role", "is_admin"]:
            if column not in known:
                with pytest.raises(msgspec.ValidationError, match="unknown field"):
                    msgspec.convert({column: 1}, struct)
