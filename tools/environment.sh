#!/bin/sh
# Make .venv from the lock file. Run by make; run again when the lock changes.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for name in "${PYTHON:-}" python3.11 python3 python; do
        if [ -n "$name" ] && "$name" -c \
            'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "kefu needs Python 3.11 or later; name one with PYTHON=…" >&2
    exit 1
}

python=$(find_python)
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    # Debian ships Python without venv's pip; virtualenv brings its own.
    if ! "$python" -m venv .venv 2>/dev/null; then
        bootstrap=$(mktemp -d)
        "$python" -m pip install -q --target "$bootstrap" virtualenv
        PYTHONPATH="$bootstrap" "$python" -m virtualenv -q --clear .venv
        rm -r "$bootstrap"
    fi
fi
pip=".venv/bin/python -m pip --disable-pip-version-check"
echo "Installing the locked dependencies into .venv …"
$pip install -q --require-hashes -r requirements.lock
$pip install -q --no-deps --no-build-isolation -e .
touch .venv/ready
