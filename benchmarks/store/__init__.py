"""`python -m benchmarks store`: a large history, what it costs to write and to read."""
