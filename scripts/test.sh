#!/usr/bin/env bash
# test.sh [--main] [ctest options]: installs, builds and tests everything; ends with ctest's summary of the main build.
#   --main   only the main build (g++, release) and its tests: no clang, sanitizers, fuzzing or formatting
source "$(dirname "$0")/common.sh"
main_only=
if [ "${1:-}" = --main ]; then main_only=1; shift; fi

scripts/setup.sh --tests
failed=()
stage() {
  local name=$1 begin=$SECONDS
  shift
  say "$name"
  "$@" < /dev/null || failed+=("$name")
  say "$name: $((SECONDS - begin)) s"
}

begin=$SECONDS
build release
say "main build: $((SECONDS - begin)) s"
if [ -z "$main_only" ]; then
  stage "format" scripts/format.sh --check
  stage "clang, address and undefined-behaviour sanitizers" scripts/sanitize.sh asan
  stage "thread sanitizer" scripts/sanitize.sh tsan
  stage "fuzzing" scripts/fuzz.sh --short
fi

status=0
[ ${#failed[@]} -eq 0 ] || { status=1; printf 'FAILED before the main tests: %s\n' "${failed[@]}" >&2; }
ctest --test-dir build/release -j "$jobs" --output-on-failure --no-tests=error "$@" < /dev/null || status=1
exit $status
