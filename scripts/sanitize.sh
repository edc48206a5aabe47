#!/usr/bin/env bash
# sanitize.sh [asan|tsan] [--full]: tests under sanitizers, built with clang. Without a name: both.
# Short form: asan runs the tests of parsers, IRs, passes, messages and runtime, whose code is instrumented; tsan the runtime
# and the runner. --full: asan runs also what mostly compiles and runs generated code.
source "$(dirname "$0")/common.sh"
which="asan tsan" full=
for argument in "$@"; do
  case $argument in
    asan | tsan) which=$argument ;;
    --full) full=1 ;;
    *) fail "unknown argument '$argument'; asan, tsan or --full is needed" ;;
  esac
done

for preset in $which; do
  targets=()
  # What the compiler does has one thread; threads are in the runtime.
  [ "$preset" = tsan ] && targets=(test_runtime test_runtime_c_only test_runner rtmc-runner)
  build "$preset" "${targets[@]}"
  select=(-LE 'slow|onnxruntime|examples|cross|end_to_end|benchmark|backend|kernels')
  [ "$preset" = tsan ] && select=(-R '^(runtime|runtime_c_only|runner)$')
  [ -n "$full" ] && [ "$preset" = asan ] && select=(-LE 'onnxruntime|examples|cross|benchmark')
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=error "${select[@]}"
done
