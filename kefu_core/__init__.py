"""kefu: a live-chat messaging core. Nothing acknowledged is lost."""

__version__ = "0.1.0"
