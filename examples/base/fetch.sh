#!/bin/sh
# Downloads Debian's busybox-static for each architecture, checks its digest, and unpacks it to rootfs/ARCH. Needs
# nothing but busybox. ARCH is BuildKit's name of it. Debian's armel runs on ARM v6 and v7; its armhf would crash on v6.
set -eu
cd "$(dirname "$0")"

VERSION=1.35.0-4+deb12u1+b1
# A package leaves the mirrors when Debian 12 moves to the archive; the snapshots keep every file for good.
MIRRORS="${DEBIAN_MIRROR:-http://deb.debian.org/debian} http://archive.debian.org/debian http://snapshot.debian.org/archive/debian/20260801T000000Z"

download() { # FILE SHA256
  for mirror in $MIRRORS; do
    echo "$mirror/pool/main/b/busybox/$1"
    timeout 120 wget -q -O "$1" "$mirror/pool/main/b/busybox/$1" || continue
    if echo "$2  $1" | sha256sum -c -s; then return 0; fi
    echo "  unexpected file: its sha256 is $(sha256sum "$1" | cut -d ' ' -f 1)" >&2
  done
  echo "no mirror delivered $1 with sha256 $2" >&2
  return 1
}

unpack() { # DEBIAN-ARCH ARCH SHA256
  file="busybox-static_${VERSION}_$1.deb"
  download "$file" "$3"
  ar -p "$file" data.tar.xz | xz -dc | tar -x -f - ./bin/busybox
  mkdir -p "rootfs/$2/bin"
  mv bin/busybox "rootfs/$2/bin/busybox"
  rm -r bin "$file"
  ls -l "rootfs/$2/bin/busybox"
}

unpack armel arm   061813bf602fdec8f81f07afd196a0e1b8ab0223fbbe9d7b4e003ee44130a60f
unpack arm64 arm64 732c9135564fc71337e0e05fb4da4d11e6c28c1834bce3e405e575afef2a52f5
unpack amd64 amd64 3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744
