"""The async Python client."""

from kefu_core.client.answers import Rejected
from kefu_core.client.client import Client
from kefu_core.client.notices import ConnectionChanged

__all__ = ["Client", "ConnectionChanged", "Rejected"]
