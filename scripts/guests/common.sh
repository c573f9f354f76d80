# Shared by the scripts in this folder (sourced, POSIX sh). Guest assets go to $MYNAH_GUESTS, default
# build/guests of the checkout. Debian packages are unpacked from a private apt state: nothing is installed
# and the machine's own list of architectures and packages stays as it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
guests=${MYNAH_GUESTS:-$root/build/guests}
mkdir -p "$guests"
guests=$(cd "$guests" && pwd)

say() { echo "guests: $*"; }
die() {
    echo "guests: $*" >&2
    exit 1
}
need() { # need COMMAND... : all present, or one line saying what installs them
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool not found; run scripts/install-deps"
    done
}

apt_options() { # apt_options ARCH: options for an apt state of our own
    state=$guests/apt/$1
    echo "-o Dir::State=$state -o Dir::State::status=$state/status -o Dir::State::lists=$state/lists
          -o Dir::Cache=$state/cache -o APT::Architecture=$1 -o APT::Architectures::=$1
          -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root"
}

apt_update() { # apt_update ARCH: refresh the private index, at most every six hours
    state=$guests/apt/$1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
    : >>"$state/status"
    if [ -n "$(find "$state/updated" -mmin -360 2>/dev/null)" ]; then return; fi
    say "reading the $1 package index"
    # Sources that do not carry this architecture only cost a warning.
    apt-get $(apt_options "$1") -qq update 2>"$state/update.log" || true
    apt-cache $(apt_options "$1") show busybox-static >/dev/null 2>&1 || {
        cat "$state/update.log" >&2
        die "no $1 package index could be read (is the network there?)"
    }
    touch "$state/updated"
}

unpack() { # unpack ARCH PACKAGE DIR: download a package and unpack it into DIR
    for try in 1 2 3; do
        apt_update "$1"
        rm -rf "$3" "$guests/apt/$1/debs"
        mkdir -p "$3" "$guests/apt/$1/debs"
        (cd "$guests/apt/$1/debs" && apt-get $(apt_options "$1") -qq download "$2") && break
        # A mirror that was just being updated, or an index that is too old.
        [ $try -lt 3 ] || die "package $2 ($1) could not be downloaded"
        rm -f "$guests/apt/$1/updated"
        sleep 5
    done
    dpkg -x "$guests/apt/$1"/debs/*.deb "$3"
    basename "$guests/apt/$1"/debs/*.deb >>"$guests/packages.txt"
    rm -rf "$guests/apt/$1/debs"
}

put() { # put SOURCE TARGET: copy so that TARGET is whole or absent
    [ -f "$1" ] || die "expected file $1 is not in its package"
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.part"
    mv "$2.part" "$2"
}

# The same bytes every time: the deterministic clock's hashes cover guest RAM.
pack() { # pack TREE: a compressed archive of it
    find "$1" -exec touch -h -d @0 {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0 | gzip -n9)
}
