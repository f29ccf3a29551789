#!/bin/sh
# Build the image of `Dockerfile` below a folder without Docker: its base is a Debian of
# debootstrap's, and no registry is asked. Leaves root/, mounted, and image.json. Needs
# root, buildah and debootstrap. Run by `make verify-image`.
set -eu
cd "$(dirname "$0")/.."
folder=$1
mkdir -p "$folder"
keep() { buildah --storage-driver vfs --root "$folder/store" --runroot "$folder/run" "$@"; }

if [ ! -e "$folder/base.tar" ]; then
    debootstrap --variant=minbase bookworm "$folder/base"
    rm -rf "$folder/base/var/cache/apt" "$folder/base/var/lib/apt/lists"
    tar -C "$folder/base" -cf "$folder/base.tar" .
    rm -rf "$folder/base"
fi
if ! keep inspect --type image debian:bookworm-slim >/dev/null 2>&1; then
    base=$(keep from scratch)
    keep add -q "$base" "$folder/base.tar" /
    keep commit -q "$base" docker.io/library/debian:bookworm-slim
    keep rm "$base"
fi
# It trusts whom this machine trusts.
cp /etc/ssl/certs/ca-certificates.crt "$folder/trusted.pem"
printf '[global]\ncert = /trusted.pem\n' >"$folder/pip.conf"
keep rm --all >/dev/null
keep build-using-dockerfile --format docker --isolation chroot -t kefu \
    -v "$folder/trusted.pem:/trusted.pem:ro" -v "$folder/pip.conf:/etc/pip.conf:ro" .
keep inspect --type image kefu >"$folder/image.json"
ln -sfn "$(keep mount "$(keep from kefu)")" "$folder/root"
echo "$(du -smL "$folder/root" | cut -f1) MB, of it $(du -sm "$folder/root/opt/kefu" | cut -f1) MB kefu and what it needs"
