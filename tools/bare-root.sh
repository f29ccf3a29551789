#!/bin/sh
# Make a bare Debian below a folder, with kefu installed from its wheel as the install
# guide says. Needs root and debootstrap. Run by `make verify-install`.
set -eu
cd "$(dirname "$0")/.."
root=$1
python=${2:-.venv/bin/python}

if [ ! -e "$root/etc/debian_version" ]; then
    # What Debian itself brings: nothing of Python's packages, nothing of kefu.
    debootstrap --variant=minbase \
        --include=ca-certificates,nginx-light,python3,python3-venv bookworm "$root"
    # Its welcome page would take port 80 of this machine.
    rm -f "$root/etc/nginx/sites-enabled/default"
    chroot "$root" useradd --system --home-dir /var/lib/kefu \
        --shell /usr/sbin/nologin kefu
fi
# A start from nothing: what an earlier run has written is put away.
rm -rf "$root/etc/kefu" "$root/etc/nginx/conf.d/kefu.conf" "$root/opt/kefu" \
    "$root/opt/wheel" "$root/etc/systemd/system/kefu.service" "$root/var/lib/kefu" \
    "$root/tmp/backup.tar"
mkdir -p "$root/etc/kefu" "$root/etc/systemd/system" "$root/opt/wheel"

$python -m hatchling build -t wheel -d "$root/opt/wheel"
wheel=$(basename "$root"/opt/wheel/kefu-*.whl)
# It reaches and trusts what this machine does.
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
chroot "$root" /usr/bin/python3 -m venv /opt/kefu
chroot "$root" /opt/kefu/bin/pip install -q "/opt/wheel/$wheel[server,sqlite]"
chroot "$root" /opt/kefu/bin/kefu --version
