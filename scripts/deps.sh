#!/bin/sh
# deps.sh build|test|lint - installs the Debian packages that are missing; the one list of them
#
# For the tests that TEST_TAGS leaves out (tests/needs.sh) what they alone need is left out, too: most of what a chroot of
# another processor would have to unpack.
set -eu

build='gcc libc6-dev make pkg-config libcurl4-openssl-dev libsqlite3-dev libcjson-dev libssl-dev
	libsystemd-dev libzstd-dev libxxhash-dev libmicrohttpd-dev ca-certificates sqlite3 curl openssl util-linux git procps'
tests='bats time zstd jq iproute2 python3 python3-dropbox rclone util-linux-extra mandoc tidy python3-flask gunicorn systemd systemd-sysv
	dbus polkitd iputils-ping acl logrotate sudo lighttpd duktape build-essential debhelper lintian debootstrap'
# with the compiler of make fuzz
lint='shellcheck mandoc clang clang-tidy libclang-rt-dev'

case ,${TEST_TAGS-}, in *',!needs:ptrace,'*) ;; *) tests="$tests strace valgrind" ;; esac
case ,${TEST_TAGS-}, in *',!needs:browser,'*) ;; *) tests="$tests chromium" ;; esac
case ${1-} in
build) want=$build ;;
test) want="$build $tests" ;;
lint) want="$build $lint" ;;
*) echo "usage: deps.sh build|test|lint" >&2; exit 64 ;;
esac

missing=
for package in $want; do
	dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "deps.sh: packages are missing; as root: apt-get update && apt-get install -y$missing" >&2
		exit 69
	fi
	as_root='sudo -n'
fi
echo "installing:$missing"
# a package's questions would wait for ever in CI
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq update
# shellcheck disable=SC2086  # the list is words
$as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null
