"""The commands of `python -m benchmarks`: a module each, which `__main__` lists.

`add_parser` adds the command's options and names the function that runs it. It gets the
parsed options, with the whole command in `line`, and returns the exit status.
"""
