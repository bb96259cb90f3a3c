#!/bin/sh
# distro.sh - the README's two commands on a fresh, minimal Debian of another suite or architecture
#
# A chroot is made once by debootstrap and kept below /var/cache; every run gets a throw-away layer over it, in
# mount and process namespaces of its own, so nothing of a run stays, however it ends. The one traffic that
# leaves this machine goes to its own apt sources.
set -eu
cd "$(dirname "$0")/.."

usage() {
	cat <<'END'
usage: distro.sh SUITE ARCH [demo | test | FILE.bats... | -- COMMAND...]
       distro.sh --clean

Makes a minimal Debian SUITE (bookworm, trixie) of ARCH (amd64, arm64, armhf) and
runs there sh scripts/demo.sh (the default), every test, those of the files
named, or a command in a copy of this tree.

      --clean      remove all that was made
  -h, --help       this text

DISTRO_CACHE is where the chroots are kept (/var/cache/ctv-mirror-distro). What
qemu-user cannot do is left out for a foreign ARCH; tests/needs.sh lists it.
END
}

die() {
	code=$1
	shift
	echo "distro.sh: $*" >&2
	exit "$code"
}

cache=${DISTRO_CACHE:-/var/cache/ctv-mirror-distro}
for word do
	case $word in
	-h | --help) usage; exit 0 ;;
	--) break ;;
	esac
done
if [ "${1-}" = --clean ]; then
	rm -rf --one-file-system "$cache"
	exit 0
fi
[ $# -ge 2 ] || { usage >&2; exit 64; }
suite=$1 arch=$2
shift 2
case $suite in bookworm | trixie) ;; *) die 64 "$suite: neither bookworm nor trixie" ;; esac
case $arch in amd64 | arm64 | armhf) ;; *) die 64 "$arch: neither amd64, arm64 nor armhf" ;; esac
case ${1-} in --) ;; -*) die 64 "$1: no such option" ;; esac
[ "$(id -u)" -eq 0 ] || die 77 "needs root: it makes mounts"
for tool in debootstrap unshare tar; do
	command -v "$tool" >/dev/null || die 69 "$tool is not installed"
done
here=$cache/$suite-$arch
mkdir -p "$here"
exec 9>"$here/lock"
flock -n 9 || die 73 "$here: another run is at work there"
exec 8<&0

# another processor's programs run by qemu
foreign=
[ "$arch" = "$(dpkg --print-architecture)" ] || foreign=yes
case $arch in arm64) qemu="qemu-aarch64" ;; armhf) qemu="qemu-arm" ;; *) qemu="qemu-x86_64" ;; esac

# mirror: sets $mirror to where this machine's own packages come from
mirror() {
	# shellcheck disable=SC2016  # apt expands them
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		grep -vE 'security|updates|backports' | grep ' main$' | head -n 1)
	mirror=${mirror%% *}
	[ -n "$mirror" ] || die 69 "no apt source of this machine names Debian's archive"
}

register_qemu() {
	[ -e "/usr/lib/binfmt.d/$qemu.conf" ] || die 69 "$qemu: not here; apt-get install qemu-user-static"
	[ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
		die 69 "this machine cannot mount binfmt_misc"
	[ -e "/proc/sys/fs/binfmt_misc/$qemu" ] || cat "/usr/lib/binfmt.d/$qemu.conf" >/proc/sys/fs/binfmt_misc/register ||
		die 69 "$qemu: cannot be registered"
}

# contained [OPTION...] COMMAND...: in namespaces that end with it, with us, and by a signal to us. A shell hears of a
# signal only while it waits for the background, where nobody would have our standard input or Ctrl-C.
contained() {
	result=0
	env --default-signal=INT,QUIT setpriv --pdeathsig KILL unshare -m -p -i -u --fork --kill-child "$@" <&8 8<&- 9>&- &
	run=$!
	wait "$run" || result=$?
	run=
	return "$result"
}

# stopped CODE: the first process there takes all the others with it, and unshare waits for that
stopped() {
	trap '' HUP INT TERM
	if [ -n "$run" ]; then
		first=$(cat "/proc/$run/task/$run/children" 2>/dev/null) || :
		# shellcheck disable=SC2086  # a number and a space
		kill -s KILL ${first:-$run} 2>/dev/null || :
		wait "$run" || :
	fi
	rm -rf --one-file-system "$here/base.new" "$here/upper" "$here/tmp"
	exit "$1"
}

# base: the minimal system, made whole or not at all
base() {
	[ ! -e "$here/base" ] || return 0
	mirror
	echo "making a minimal $suite ($arch) from $mirror" >&2
	rm -rf "$here/base.new"
	contained --mount-proc debootstrap --arch="$arch" --variant=minbase --include=git,ca-certificates "$suite" "$here/base.new" "$mirror" \
		>"$here/debootstrap.log" 2>&1 || die 69 "debootstrap: $(tail -n 1 "$here/debootstrap.log"); see $here/debootstrap.log"
	# it is for tests: what a power cut would lose, debootstrap makes again
	printf '%s\n' 'DPkg::Options { "--force-unsafe-io"; };' >"$here/base.new/etc/apt/apt.conf.d/90distro"
	apt-config dump | grep -i '^acquire::.*proxy' >>"$here/base.new/etc/apt/apt.conf.d/90distro" || :
	mv "$here/base.new" "$here/base"
}

# copy_tree: what git knows of this tree, as it is now; its older objects stay, so that make builds only what changed
copy_tree() {
	# by the times of the files, which say nothing beside another tree's
	[ "$(cat "$here/src.of" 2>/dev/null)" = "$PWD" ] || rm -rf "$here/src"
	mkdir -p "$here/src"
	echo "$PWD" >"$here/src.of"
	find "$here/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	# shellcheck disable=SC2016  # expanded by the inner shell
	git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c '
		for file do [ ! -e "$file" ] && [ ! -L "$file" ] || printf "%s\0" "$file"; done' copy |
		tar -c --null --no-recursion -T - | tar -x -C "$here/src"
	# the tests ask git for the names of the files
	git -C "$here/src" init -q && git -C "$here/src" add -A
}

# within LAYERS UPPER COMMAND...: with the root directory made of LAYERS; what is written there lands in UPPER
within() {
	layers=$1 upper=$2
	shift 2
	rm -rf "$here/work"
	mkdir -p "$upper" "$here/work" "$here/root" "$here/tmp"
	# shellcheck disable=SC2016  # expanded by the inner shell
	contained sh -euc '
		here=$1 layers=$2 upper=$3
		shift 3
		root=$here/root
		mount --make-rprivate /
		mount -t overlay overlay -o "lowerdir=$layers,upperdir=$upper,workdir=$here/work" "$root"
		mkdir -p "$root/src" "$root/.machine"
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs -o mode=755 tmpfs "$root/run"
		mount --bind "$here/src" "$root/src"
		# no overlay: the hosts of the lab have their disks here
		mount --bind "$here/tmp" "$root/tmp"
		chmod 1777 "$root/tmp"
		[ -s "$root/etc/hosts" ] || echo "127.0.0.1 localhost" >"$root/etc/hosts"
		cat /etc/resolv.conf >"$root/etc/resolv.conf" || :
		cd "$root"
		pivot_root . .machine
		umount -l /.machine
		cd /src
		exec env -i HOME=/root TERM="${TERM-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			CI="${CI-}" NO_SKIPS="${NO_SKIPS-}" DEMO_SIZE="${DEMO_SIZE-20M}" TEST_TAGS="${TEST_TAGS-}" "$@"
	' within "$here" "$layers" "$upper" "$@"
}

# packages: a second layer with all that tests/run.sh installs, for as long as that list stays the same
packages() {
	list=$(echo "${TEST_TAGS-}" | cat scripts/deps.sh - | cksum)
	[ "$(cat "$here/packages.of" 2>/dev/null)" != "$list" ] || return 0
	echo "installing what building and testing need" >&2
	rm -rf "$here/packages" "$here/packages.of"
	within "$here/base" "$here/packages" sh scripts/deps.sh test || die 69 "the packages could not be installed"
	echo "$list" >"$here/packages.of"
}

# throw_away LAYERS COMMAND...
throw_away() {
	layers=$1
	shift
	rm -rf "$here/upper" "$here/tmp"
	result=0
	within "$layers" "$here/upper" "$@" || result=$?
	rm -rf "$here/upper" "$here/tmp"
	return "$result"
}

run=
trap 'stopped 129' HUP
trap 'stopped 130' INT
trap 'stopped 143' TERM
[ -z "$foreign" ] || register_qemu
base
copy_tree
case ${1-demo} in
demo) throw_away "$here/base" sh scripts/demo.sh ;;
*)
	# qemu-user: no ptrace, another's memory, none of the namespaces of systemd; each test by name: tests/needs.sh
	[ -z "$foreign" ] || sh tests/needs.sh --tag "$here/src" || exit
	[ -z "$foreign" ] || export TEST_TAGS='!needs:ptrace,!needs:memory,!needs:browser,!needs:hosts,!needs:mounts,!needs:closed'
	packages
	case $1 in
	test) shift; set -- sh tests/run.sh "$@" ;;
	--) shift ;;
	*) set -- sh tests/run.sh "$@" ;;
	esac
	throw_away "$here/packages:$here/base" "$@"
	;;
esac
