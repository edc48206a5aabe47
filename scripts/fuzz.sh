#!/usr/bin/env bash
# fuzz.sh [--seconds N | --short] [TARGET...]: runs each libFuzzer target from its seed corpus, N seconds each (20), every time another
# way. --short: the same fixed inputs on every machine, so that a change is judged by what it does and not by luck. Findings stay in
# build/fuzz/found; one that is mended joins tests/fuzz/corpus.
source "$(dirname "$0")/common.sh"
seconds=20 short='' only=()
declare -A short_runs=([fuzz_kernel_ir]=3000 [fuzz_model]=100000 [fuzz_npz]=500000 [fuzz_safetensors]=800000)  # some 10 s each
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?a number is missing}; shift 2 ;;
    --short) short=1; shift ;;
    -*) fail "unknown option '$1'" ;;
    *) only+=("$1"); shift ;;
  esac
done
[ -f tests/fuzz/CMakeLists.txt ] || { say "no fuzz targets"; exit 0; }
build fuzz fuzzers
mkdir -p build/fuzz/found
status=0 ran=0
for program in build/fuzz/bin/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  name=$(basename "$program")
  if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* && " ${only[*]} " != *" ${name#fuzz_} "* ]]; then continue; fi
  corpus=build/fuzz/corpus/$name seeds=tests/fuzz/corpus/${name#fuzz_}
  mkdir -p "$corpus"
  [ -d "$seeds" ] || fail "$name has no seed corpus in $seeds"
  if [ "$short" ]; then
    # A corpus of its own, empty: what earlier runs found would change the order.
    corpus=build/fuzz/short/$name
    rm -rf "$corpus"
    mkdir -p "$corpus"
    amount=(-seed=1 -runs="${short_runs[$name]:?has no number of runs in fuzz.sh}" -reload=0 -timeout=120)
    say "$name: ${short_runs[$name]} runs"
  else
    amount=(-max_total_time="$seconds" -timeout=10)
    say "$name: $seconds s"
  fi
  ran=$((ran + 1))
  # New inputs go to the build folder, never into the repository.
  if ! ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 "$program" "$corpus" "$seeds" \
      "${amount[@]}" -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
      -artifact_prefix=build/fuzz/found/"$name"- > "build/fuzz/$name.log" 2>&1; then
    tail -n 40 "build/fuzz/$name.log" >&2
    status=1
  fi
  grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$name.log" >&2 || true
done
[ $ran -gt 0 ] || fail "no fuzz target was built"
exit $status
