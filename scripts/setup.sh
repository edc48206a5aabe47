#!/usr/bin/env bash
# setup.sh [--tests]: installs what the build and the tests need (Debian 12 or later, Ubuntu 24.04 or later). Quick and silent when
# nothing is missing. third_party/README.md says what each package is for.
#   --tests   PyTorch too (610 MB), for tests that skip without it; a system that has no such package is told so, and is no error
set -euo pipefail
case ${1:-} in
  '' | --tests) tests=${1:-} ;;
  *) echo "setup.sh: unknown argument '$1'; --tests is known" >&2; exit 1 ;;
esac

packages=(
  cmake ninja-build pkg-config ccache git g++ binutils
  llvm-19-dev libclang-19-dev libclang-cpp19-dev
  libfmt-dev libyaml-cpp-dev libzip-dev zlib1g-dev nlohmann-json3-dev doctest-dev
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev lld-19
  qemu-user python3 python3-venv python3-numpy pyflakes3)
# The cross compiler of the other architecture's tests.
[ "$(dpkg --print-architecture)" = arm64 ] || packages+=(g++-aarch64-linux-gnu)

present=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2> /dev/null | sed -n 's/^ii *//p' || true)
missing=()
for package in "${packages[@]}"; do
  grep -qxF "$package" <<< "$present" || missing+=("$package")
done

# Not by importing it, which takes seconds. python/tests/run.py looks at the same interpreters.
has_torch() {
  local python
  for python in "${RTMC_TORCH_PYTHON:-python3}" python3 /usr/bin/python3; do
    "$python" -c 'import sys; from importlib.util import find_spec; sys.exit(not (find_spec("numpy") and find_spec("torch")))' \
      2> /dev/null && return
  done
  return 1
}
optional=()
[ -z "$tests" ] || has_torch || optional=(python3-torch)
[ $((${#missing[@]} + ${#optional[@]})) -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo > /dev/null || {
    echo "setup.sh: missing: ${missing[*]} ${optional[*]}; run as root, or install sudo" >&2
    [ ${#missing[@]} -eq 0 ] && exit 0
    exit 2
  }
  run=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
update() { "${run[@]}" apt-get update -q < /dev/null > "$log" 2>&1 || true; }
try() {
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" < /dev/null > "$log" 2>&1
}
# The lists of packages may be old or absent: only then are they fetched.
install() {
  echo "setup.sh: installing $*" >&2
  try "$@" || { update; try "$@"; }
}
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}" || { cat "$log" >&2; exit 2; }

[ ${#optional[@]} -eq 0 ] && exit 0
compgen -G '/var/lib/apt/lists/*_Packages*' > /dev/null || update
if ! apt-cache show "${optional[@]}" > /dev/null 2>&1; then
  echo "setup.sh: this system has no package ${optional[*]}: tests that need it will skip" >&2
elif ! install "${optional[@]}"; then
  echo "setup.sh: ${optional[*]} was not installed, tests that need it will skip: $(grep '^E:' "$log" | tail -n 1)" >&2
fi
