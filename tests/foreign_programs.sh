#!/bin/sh
# Installs the foreign programs that the tests call, where that is allowed; names them in one line where it is not.
# The tests that need a missing one are skipped by name, so this never fails.
missing=""
for package in "$@"; do
	case "$package" in
	sip-tester) program=sipp ;;
	linphone-cli) program=linphone-daemon ;;
	sipvicious) program=svmap ;;
	*) program="$package" ;;
	esac
	command -v "$program" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of names
	if apt-get update -qq </dev/null >/dev/null 2>&1 &&
		apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null 2>&1; then
		exit 0
	fi
fi
echo "Not installed, and tests with them will be skipped:$missing (Debian: apt-get install$missing)" >&2
exit 0
