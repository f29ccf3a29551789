"""The application around the log: who may do what, the calls and the agents' list."""

from kefu_core.desk.desk import Desk

__all__ = ["Desk"]
