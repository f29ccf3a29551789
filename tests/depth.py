"""How deep the tests dig: enough to see a fault soon, or everything, for long.

`make test` does the first, `make verify-tests` (`KEFU_TESTS=long`) the second.
"""

import os

IS_LONG = os.environ.get("KEFU_TESTS", "") == "long"


def times(usual: int, long: int) -> int:
    """Return how often something is done, or how finely it is looked at."""
    return long if IS_LONG else usual
