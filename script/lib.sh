# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What script/server and script/test share: packages and configure. Sourced from the top folder.

packages_build="gcc make autoconf automake autoconf-archive pkgconf libc6-dev libmicrohttpd-dev
libjansson-dev libsqlite3-dev libsodium-dev zlib1g-dev libcurl4-openssl-dev libinih-dev uthash-dev"
packages_test="check libmpfr-dev sqlite3 curl procps python3 nodejs npm"

is_debian() {
	command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1
}

# missing_packages NAME...: those of the names that are not installed
missing_packages() {
	for name in "$@"; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' ||
			printf '%s ' "$name"
	done
}

# need_packages build|test: installs what is missing, or says what it is
need_packages() {
	wanted=$packages_build
	[ "$1" = test ] && wanted="$wanted $packages_test"
	if ! is_debian; then
		echo "Not a Debian system; please have these (Debian's names):" $wanted >&2
		return 0
	fi
	# shellcheck disable=SC2086 # a list of words
	missing=$(missing_packages $wanted)
	[ -z "$missing" ] && return 0
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null 2>&1; then
			echo "Missing packages, and neither root nor sudo: $missing" >&2
			exit 1
		fi
		as_root=sudo
	fi
	echo "Installing: $missing"
	$as_root apt-get update -q
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $missing
}

# configure_in DIR [OPTION...]: makes configure when needed and runs it in DIR
configure_in() {
	dir=$1
	shift
	if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
		autoreconf -fi
	fi
	if [ ! -f "$dir/Makefile" ] || [ configure -nt "$dir/Makefile" ]; then
		mkdir -p "$dir"
		here=$PWD
		(cd "$dir" && "$here/configure" -q "$@")
	fi
}
