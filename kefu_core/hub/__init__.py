"""Who is connected, the one door to the log, fan-out and catch-up."""

from kefu_core.hub.connection import Connection
from kefu_core.hub.hub import Hub, HubObserver
from kefu_core.hub.lists import Lists, WatchedList
from kefu_core.hub.statistics import HubStatistics

__all__ = ["Connection", "Hub", "HubObserver", "HubStatistics", "Lists"]
__all__ += ["WatchedList"]
