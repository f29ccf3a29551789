"""Which sites let agents see what a visitor is typing; all others do not.

A connection asks at every letter, so the answer is in memory. It is read again now and
then, and is no until it was read: what should not be seen is not seen by a slow start.
"""

from kefu_core.abc.store import Store
from kefu_core.desk.rounds import Rounds
from kefu_core.errors import KefuError
from kefu_core.model import Site

INTERVAL_S = 5.0
"""So late the other nodes hear of a change."""


class Previews:
    """Knows of each site whether unsent text may be shown."""

    def __init__(self, store: Store) -> None:
        """Take the store, where settings are."""
        self._store = store
        self._sites: frozenset[int] = frozenset()

    def shows(self, site_id: int) -> bool:
        """Whether agents of a site may see what its visitors are typing."""
        return site_id in self._sites

    def changed(self, site: Site) -> None:
        """Take a site's settings as they are from now on."""
        rest = self._sites - {site.id}
        self._sites = rest | {site.id} if site.settings.talk.shows_typing else rest

    async def load(self) -> None:
        """Read all sites. Raises `StoreUnavailable`."""
        sites = await self._store.sites()
        self._sites = frozenset(
            site.id for site in sites if site.settings.talk.shows_typing
        )

    async def run(self) -> None:
        """Read them again and again, until cancelled."""
        await Rounds("what is being typed is shown", INTERVAL_S).run(self._look)

    async def _look(self) -> None:
        try:
            await self.load()
        except KefuError:
            # Nobody knows whether it was switched off meanwhile.
            self._sites = frozenset()
            raise
