#!/bin/sh
# Install what the tests need beside Python: Chromium, Chinese letters, nginx, Caddy,
# systemd's own reader of units, openssl, Node.js,
# strace, libfaketime, database servers, ODBC, TypeScript and AsyncAPI's rules. What cannot be installed is
# said, and its tests are skipped.
set -u
cd "$(dirname "$0")/.."

missing=""
command -v chromium-headless-shell >/dev/null || missing="$missing chromium-headless-shell"
command -v node >/dev/null || missing="$missing nodejs"
command -v strace >/dev/null || missing="$missing strace"
[ -d node_modules/@asyncapi ] || command -v npm >/dev/null || missing="$missing npm"
PATH="$PATH:/usr/sbin" command -v nginx >/dev/null || missing="$missing nginx"
command -v caddy >/dev/null || missing="$missing caddy"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v openssl >/dev/null || missing="$missing openssl"
PATH="$PATH:/usr/sbin" command -v mariadbd >/dev/null || missing="$missing mariadb-server"
ldconfig -p 2>/dev/null | grep -q "libodbc\.so\.2" || missing="$missing unixodbc"
ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
ls /usr/lib/*/odbc/libtdsodbc.so >/dev/null 2>&1 || missing="$missing tdsodbc"
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing="$missing postgresql"
fc-list 2>/dev/null | grep -qi "noto.*cjk" || missing="$missing fonts-noto-cjk"

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
fi

install_packages() {
    # RUNLEVEL=1: a service is not started because it was installed.
    command -v apt-get >/dev/null || return 1
    # shellcheck disable=SC2086  # both are lists of words
    $as_root true 2>/dev/null &&
        $as_root apt-get update -qq &&
        $as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

if [ -n "$missing" ]; then
    echo "Installing Debian packages:$missing"
    install_packages ||
        echo "NOT INSTALLED (needs root or sudo, and apt):$missing" \
            "- the tests that need them are skipped." >&2
fi

if [ ! -x node_modules/.bin/tsc ] || [ ! -d node_modules/@asyncapi ]; then
    if ! { command -v npm >/dev/null && npm ci --silent --no-fund --no-audit; }; then
        echo "NOT INSTALLED: TypeScript and AsyncAPI's rules (need npm)" \
            "- the JavaScript type check and one of docs/asyncapi.json are skipped." >&2
    fi
fi
