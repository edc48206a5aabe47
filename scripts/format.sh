#!/usr/bin/env bash
# format.sh [--check]: clang-format on every C and C++ file of ours. --check changes nothing and fails where it would; it also has
# pyflakes look for names that do not exist, or are not used, in every Python file.
source "$(dirname "$0")/common.sh"
mapfile -t files < <(our_files '*.c' '*.h' '*.hpp' '*.cpp' | grep -vE '/expected/|^tests/.*/cases/|/network_reference.h$')
if [ "${1:-}" = --check ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -P "$jobs" -n 40 clang-format-19 --dry-run --Werror
  our_files '*.py' | grep -v '/__init__.py$' | xargs pyflakes3
else
  printf '%s\0' "${files[@]}" | xargs -0 -P "$jobs" -n 40 clang-format-19 -i
fi
