"""Backups: one file with everything of an installation, and the way back.

`archive` is the file: members with digests. `writing` fills one from a running
installation, `restoring` checks one and reads it back.
"""
