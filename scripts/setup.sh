#!/usr/bin/env bash
# Installs what the build and the tests need (Debian 12 or later, Ubuntu 24.04 or later). Quick and silent when nothing
# is missing. third_party/README.md says what each package is for.
set -euo pipefail

packages=(
  cmake ninja-build pkg-config ccache git g++ binutils
  llvm-19-dev libclang-19-dev libclang-cpp19-dev
  libfmt-dev libyaml-cpp-dev libzip-dev zlib1g-dev nlohmann-json3-dev doctest-dev
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev lld-19
  qemu-user python3 python3-venv python3-numpy)
# The cross compiler of the other architecture's tests.
[ "$(dpkg --print-architecture)" = arm64 ] || packages+=(g++-aarch64-linux-gnu)

present=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2> /dev/null | sed -n 's/^ii *//p' || true)
missing=()
for package in "${packages[@]}"; do
  grep -qxF "$package" <<< "$present" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo > /dev/null || { echo "setup.sh: missing: ${missing[*]}; run as root, or install sudo" >&2; exit 2; }
  run=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
echo "setup.sh: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" < /dev/null
}
# The lists of packages may be old or absent: only then are they fetched.
if ! install > "$log" 2>&1; then
  "${run[@]}" apt-get update -q < /dev/null > "$log" 2>&1 || true
  install > "$log" 2>&1 || { cat "$log" >&2; exit 2; }
fi
