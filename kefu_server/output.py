"""What commands say to a person: lines on standard output, errors on standard error."""

import sys


def say(text: str = "") -> None:
    """Write one line of result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line of error."""
    sys.stderr.write(f"kefu: {text}\n")
    sys.stderr.flush()
