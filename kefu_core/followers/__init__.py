"""Background readers of the log: they follow it, and never delay it."""
