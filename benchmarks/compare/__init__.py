"""`compare`: the same work on kefu and on what people would pick instead."""
