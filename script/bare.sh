# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# A minimal Debian 12 to try things in, made by debootstrap. Sourced from the top folder by what needs
# root: bare_root makes it, inside runs a command in it, and when the script ends it is gone.

suite=bookworm
root=
keep=

# sources FORMAT: where this machine gets its Debian from; fields as apt-get indextargets names them
sources() {
	apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian' | sort -u
}

finish() {
	trap - EXIT
	for place in proc dev; do
		if mountpoint -q "$root/$place"; then
			umount -R -l "$root/$place"
		fi
	done
	# Never through a mount that stayed.
	[ -n "$keep" ] || rm -rf --one-file-system "$root"
}

# bootstrap: fills $root
bootstrap() {
	# shellcheck disable=SC2016 # apt's fields
	mirror=${MIRROR:-$(sources '$(SITE) $(RELEASE)' | sed -n "s/ $suite\$//p" | head -n 1)}
	if [ -z "$mirror" ]; then
		echo "apt knows no mirror of $suite; name one in MIRROR" >&2
		exit 1
	fi
	echo "== debootstrap $suite in $root"
	debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
		tail -n 20 "$root.log"
		exit 1
	}
	rm -f "$root.log"
	# shellcheck disable=SC2016 # apt's fields
	[ -n "${MIRROR-}" ] || sources 'deb $(SITE) $(RELEASE) $(COMPONENT)' |
		grep " $suite" >"$root/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::.*Proxy.* "..*";$' >"$root/etc/apt/apt.conf.d/90proxy" || :
}

# bare_root [DIR]: in a temporary directory, or in DIR, which is kept and used again
bare_root() {
	for cmd in debootstrap chroot git; do
		if ! command -v "$cmd" >/dev/null 2>&1; then
			echo "$cmd is missing" >&2
			exit 1
		fi
	done
	if [ "$(id -u)" -ne 0 ]; then
		echo "this needs root" >&2
		exit 1
	fi
	keep=${1-}
	root=${keep:-$(mktemp -d)}
	mkdir -p "$root"
	chmod 755 "$root" # it becomes / there, which services of other users pass through
	root=$(cd "$root" && pwd)
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [ ! -e "$root/etc/debian_version" ]; then
		bootstrap
	fi
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --make-rslave "$root/dev"
	mkdir -p "$root/srv"
	# Where a proxy signs with a certificate of its own, npm needs it there as well.
	if [ -f "${NODE_EXTRA_CA_CERTS-}" ]; then
		cp -L "$NODE_EXTRA_CA_CERTS" "$root/srv/extra.pem"
	fi
}

# install_inside DIR PACKAGE...: and what they depend on; files are named as from DIR
install_inside() {
	dir=$1
	shift
	inside "$dir" "apt-get -q -q install -y --no-install-recommends $* >/srv/apt.log 2>&1 || {
	cat /srv/apt.log
	exit 1
}"
}

# inside DIR COMMAND: with a bare environment but for the way out of this machine
inside() {
	registry=
	if command -v npm >/dev/null 2>&1; then
		registry=$(npm config get registry 2>/dev/null || :)
	fi
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
		${registry:+"npm_config_registry=$registry"} \
		${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/srv/extra.pem} \
		chroot "$root" sh -c "cd $1 && $2" </dev/null
}
