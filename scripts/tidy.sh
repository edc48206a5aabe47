#!/usr/bin/env bash
# tidy.sh [FILE...]: clang-tidy on these files; without any, on what differs from origin/main or is not committed;
# --all: on every file (some minutes). Needs the compile commands of the preset tidy; builds nothing but generated files.
source "$(dirname "$0")/common.sh"
cmake --preset tidy > build/tidy.configure.log 2>&1 || { cat build/tidy.configure.log >&2; fail "cmake --preset tidy failed"; }
# Sources include files that the build makes.
mapfile -t generated < <(ninja -C build/tidy -t targets all | sed -n 's/^\(.*\.inc\): .*/\1/p')
[ ${#generated[@]} -eq 0 ] || ninja -C build/tidy "${generated[@]}" > /dev/null
files=()
case ${1:-} in
  --all) mapfile -t files < <(our_files 'compiler/**/*.cpp' 'runtime/**/*.cpp' 'runner/*.cpp') ;;
  '')
    base=$(git merge-base HEAD origin/main 2> /dev/null || git rev-parse HEAD)
    mapfile -t files < <({ git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
      grep -E '^(compiler|runtime|runner)/.*\.cpp$' | sort -u)
    ;;
  *) files=("$@") ;;
esac
[ ${#files[@]} -gt 0 ] || { say "nothing to check"; exit 0; }
# Files of other processors are in no compile command here.
known=()
for file in "${files[@]}"; do
  grep -qF "\"$root/$file\"" build/tidy/compile_commands.json && known+=("$file")
done
[ ${#known[@]} -gt 0 ] || { say "nothing to check"; exit 0; }
printf '%s\0' "${known[@]}" | xargs -0 -P "$jobs" -n 4 clang-tidy-19 -p build/tidy --quiet --warnings-as-errors='*'
