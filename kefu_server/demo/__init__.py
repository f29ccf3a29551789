"""`kefu demo`: the server, a sample shop and some history, ready to try."""
