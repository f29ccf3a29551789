"""Load, crashes and the judge: `python -m benchmarks --help`."""
