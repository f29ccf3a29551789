"""Names for the numbers and strings that must not be mixed up."""

from typing import NewType

ConversationId = NewType("ConversationId", int)
"""A 53-bit time-ordered id (see `kefu_core.ids`). Not a secret."""

Seq = NewType("Seq", int)
"""A message's number in its conversation: 1, 2, 3 … without holes; 0 is "none yet"."""

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01 UTC by the wall clock. Never used for order."""

ParticipantId = NewType("ParticipantId", str)
"""Who speaks: one letter and an id. `v12` a visitor, `a7` an agent, `s0` the system."""
