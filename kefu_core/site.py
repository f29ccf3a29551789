"""What each site decides for itself: one struct for each part of the desk.

A site's settings are stored as one JSON text. New fields always have defaults, so that
older rows keep working; a field that is gone is ignored.
"""

import msgspec


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers whom."""


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody is there."""


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """What is said and asked by itself, and what people may do with their messages."""


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of visitors, and when they are invited."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Which files may be sent."""


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """What happens while nobody is there."""

    notices_to: tuple[str, ...] = ()
    """Addresses that are told by mail of every message a visitor leaves."""
    may_chat: bool = True
    """Visitors may also write into the chat, and are answered when somebody comes."""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    routing: Routing = Routing()
    hours: Hours = Hours()
    talk: Talk = Talk()
    watching: Watching = Watching()
    files: Files = Files()
    letters: Letters = Letters()
