# Sourced by every script: strict mode, the root, number of jobs, and a few words. Does nothing by itself.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=${RTMC_JOBS:-$(nproc)}

say() { printf '== %s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# build PRESET [TARGET...]: configures and builds with CMakePresets.json.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" "${configure_options[@]}" > "$root/build/$preset.configure.log" 2>&1 ||
    { cat "$root/build/$preset.configure.log" >&2; fail "cmake --preset $preset failed"; }
  nice -n 5 cmake --build "build/$preset" -j "$jobs" ${1+--target "$@"}
}
configure_options=()
mkdir -p "$root/build"

# A python3 that has numpy: the first on PATH may be another one.
numpy_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import numpy' 2> /dev/null; then echo "$candidate"; return; fi
  done
  fail "no python3 with numpy; scripts/setup.sh installs one"
}

# Files of ours that are in git or about to be, by pattern: our_files '*.cpp' '*.h'
our_files() { git ls-files --cached --others --exclude-standard -- "$@" | sort -u; }
