# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What script/server and script/test share: packages, configure, counting. Sourced from the top folder.

packages_build="gcc make autoconf automake autoconf-archive libtool pkgconf libc6-dev libmicrohttpd-dev
libgnutls28-dev libjansson-dev libsqlite3-dev libsodium-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev
libncurses-dev libinih-dev libsystemd-dev uthash-dev curl"
packages_test="check libmpfr-dev sqlite3 procps python3 nodejs npm"
modules_build="libmicrohttpd gnutls jansson sqlite3 libsodium zlib libcurl ncurses inih"
modules_test="check mpfr"

say() {
	printf '%s\n' "$*" >&2
}

is_debian() {
	command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1
}

# command_of PACKAGE: the command a package is wanted for, so that one from elsewhere will do
command_of() {
	case $1 in
	gcc | make | autoconf | automake | sqlite3 | curl | python3 | npm) echo "$1" ;;
	pkgconf) echo pkg-config ;;
	nodejs) echo node ;;
	procps) echo ps ;;
	esac
}

# missing_packages NAME...: those of the names that are not there
missing_packages() {
	installed=$(dpkg-query -W -f='${Package} ${Status}\n' "$@" 2>/dev/null |
		sed -n 's/ install ok installed$//p')
	for name in "$@"; do
		case "
$installed
" in
		*"
$name
"*) continue ;;
		esac
		cmd=$(command_of "$name")
		if [ -z "$cmd" ] || ! command -v "$cmd" >/dev/null 2>&1; then
			printf '%s ' "$name"
		fi
	done
}

# missing_elsewhere PACKAGE... -- MODULE...: the same where there is no dpkg, by what can be seen
missing_elsewhere() {
	while [ "$1" != -- ]; do
		cmd=$(command_of "$1")
		if [ -n "$cmd" ] && ! command -v "$cmd" >/dev/null 2>&1; then
			printf '%s ' "$1"
		fi
		shift
	done
	shift
	for module in "$@"; do
		pkg-config --exists "$module" 2>/dev/null || printf '%s(pkg-config) ' "$module"
	done
}

# need_packages build|test: installs what is missing, or says what it is
need_packages() {
	wanted=$packages_build
	modules=$modules_build
	if [ "$1" = test ]; then
		wanted="$wanted $packages_test"
		modules="$modules $modules_test"
	fi
	if ! is_debian; then
		# shellcheck disable=SC2086 # lists of words
		missing=$(missing_elsewhere $wanted -- $modules)
		[ -z "$missing" ] && return 0
		say "This is not Debian, so nothing is installed. Missing: $missing"
		say "Beside these, autoconf-archive and uthash.h are needed."
		return 1
	fi
	# shellcheck disable=SC2086 # a list of words
	missing=$(missing_packages $wanted)
	[ -z "$missing" ] && return 0
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null 2>&1; then
			say "Missing packages, and neither root nor sudo to install them:"
			say "  apt-get install $missing"
			return 1
		fi
		as_root=sudo
	fi
	say "Installing: $missing"
	$as_root apt-get -q -o DPkg::Lock::Timeout=300 update
	# shellcheck disable=SC2086 # a list of words
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 install --no-install-recommends $missing
}

# newer FILE... THAN: some file is newer than the last one
newer() {
	files=
	while [ $# -gt 1 ]; do
		files="$files $1"
		shift
	done
	# shellcheck disable=SC2086 # a list of words
	[ -n "$(find $files -newer "$1" -print)" ]
}

# configure_in DIR [OPTION...]: makes configure when needed and runs it in DIR. What changes later,
# make notices by itself.
configure_in() {
	dir=$1
	shift
	top=$PWD
	if [ ! -x configure ] || [ ! -f Makefile.in ] || newer configure.ac configure ||
		newer Makefile.am ./*/Makefile.inc ./*/*/Makefile.inc Makefile.in; then
		autoreconf -fi
	fi
	if [ ! -f "$dir/Makefile" ] || newer configure "$dir/config.status"; then
		mkdir -p "$dir"
		(cd "$dir" && "$top/configure" -q "$@")
	fi
}

jobs() {
	nproc 2>/dev/null || echo 2
}

# count_results DIR: "N passed, N failed, N skipped" of the last make check in DIR
count_results() {
	find "$1" -name '*.trs' -exec sed -n 's/^:test-result: //p' {} + | awk '
		/^(PASS|XFAIL)/ { passed++; next }
		/^SKIP/ { skipped++; next }
		{ failed++ }
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }'
}
