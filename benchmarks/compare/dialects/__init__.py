"""What a client of each target says on the wire."""
