"""What an operator does with the stored history: export, import, erasure."""
