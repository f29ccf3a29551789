"""kefu: a live-chat messaging core. Conversations are logs; nothing acknowledged is lost."""

__version__ = "0.1.0"
