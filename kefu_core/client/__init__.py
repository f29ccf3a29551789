"""The async Python client."""

from kefu_core.client.client import Client, ConnectionChanged, Rejected

__all__ = ["Client", "ConnectionChanged", "Rejected"]
