#!/usr/bin/env bash
# run_test.sh BUILD SCRIPT [arguments]: runs SCRIPT with the first Python that has numpy: $RTMC_PYTHON, the one that scripts/bench.sh
# makes (it has the most peers), the one that the test `onnxruntime` makes, the system's. 77 and the reason where there is none.
set -euo pipefail
build=${1:?build folder is missing}
shift
for python in ${RTMC_PYTHON:-} "$build/../bench-venv/bin/python" "$build/venv/bin/python" python3 /usr/bin/python3; do
  if "$python" -c 'import numpy' 2> /dev/null; then exec "$python" -B "$@"; fi
done
echo "SKIPPED: no python3 with numpy"
exit 77
