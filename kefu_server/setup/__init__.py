"""Setting kefu up: what an operator chose, the files and the rows that come of it.

`kefu init` asks on a terminal or takes flags, `/setup` asks on a page. Nothing is
written before everything was checked and shown, and then all of it or nothing.
"""
