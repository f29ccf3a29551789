"""`python -m kefu_server` is the `kefu` command."""

from kefu_server.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
