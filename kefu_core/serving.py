"""Whom this task serves: for lines of a log, whoever writes them.

Context variables: a task begins with what held where it was started, and what it sets
holds for itself and for those that it starts.
"""

from contextvars import ContextVar

request: ContextVar[str] = ContextVar("kefu.request", default="")
"""The id of the HTTP request or WebSocket; empty outside of any."""
connection: ContextVar[str] = ContextVar("kefu.connection", default="")
"""The number of the connection among those of its node; empty outside of any."""
