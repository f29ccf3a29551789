"""Whose a visitor's number is: written once, whoever asks at the same time.

A number is somebody's to the host site, or another number of somebody who is, and never
both: the rows of all visitors that are asked about are locked, in the order of their
numbers, before either is looked for.
"""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.errors import Conflict
from kefu_core.ids import visitor_participant
from kefu_core.model import Person, Role
from kefu_core.records import VisitorAlias, VisitorIdentity
from kefu_core.store.desk_tables import visitor_alias, visitor_identity
from kefu_core.store.people import lock_visitor
from kefu_core.types import UnixMs


async def claim_number(
    connection: AsyncConnection, claim: VisitorIdentity | VisitorAlias, now: UnixMs
) -> bool:
    """Write it if the number is nobody's yet; see `Records.claim_number`."""
    known = int(claim.visitor[1:]) if isinstance(claim, VisitorAlias) else claim.id
    for number in sorted({claim.id, known}):
        person = Person(id=visitor_participant(number), name="", role=Role.VISITOR)
        await lock_visitor(connection, claim.site_id, person, now)
    for kind, table, whose in (
        (VisitorIdentity, visitor_identity, "external_id"),
        (VisitorAlias, visitor_alias, "visitor"),
    ):
        query = select(table.c.site_id, table.c[whose]).where(table.c.id == claim.id)
        found = (await connection.execute(query)).first()
        if found is not None:
            # Its own answer may have been lost.
            mine = (claim.site_id, getattr(claim, whose, None))
            return isinstance(claim, kind) and tuple(found) == mine
    if isinstance(claim, VisitorAlias):
        query = select(visitor_identity.c.id).where(
            visitor_identity.c.id == known,
            visitor_identity.c.site_id == claim.site_id,
        )
        if (await connection.execute(query)).first() is None:
            return False
        me = visitor_participant(claim.id)
        others = select(visitor_alias.c.id).where(visitor_alias.c.visitor == me)
        others = others.order_by(visitor_alias.c.id).limit(1)
        if (await connection.execute(others)).first() is not None:
            return False
    is_alias = isinstance(claim, VisitorAlias)
    table = visitor_alias if is_alias else visitor_identity
    values = {name: getattr(claim, name) for name in claim.__struct_fields__}
    try:
        await connection.execute(insert(table).values(**values))
    except IntegrityError as error:
        raise Conflict("Another visitor has this identity already.") from error
    return True
