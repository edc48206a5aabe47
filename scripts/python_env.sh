#!/usr/bin/env bash
# python_env.sh FOLDER: a virtual environment with onnxruntime, onnx and numpy in FOLDER, made once. Prints its python.
# Exit status 77 with the reason on stderr where it cannot be made (no network): tests skip then.
set -euo pipefail
folder=${1:?folder of the environment is missing}
# A complete environment elsewhere serves as well.
for python in ${RTMC_PYTHON:-} "$folder/bin/python"; do
  if "$python" -c 'import numpy, onnx, onnxruntime' 2> /dev/null; then
    echo "$python"
    exit 0
  fi
done
log=$folder.log
mkdir -p "$(dirname "$folder")"
skip() { echo "no environment with onnxruntime: $1 (see $log)" >&2; exit 77; }
python3 -m venv --clear "$folder" > "$log" 2>&1 || skip "python3 -m venv failed"
"$folder/bin/python" -m pip install --disable-pip-version-check --only-binary :all: -q numpy onnx onnxruntime \
  < /dev/null >> "$log" 2>&1 || { reason=$(tail -n 1 "$log"); rm -rf "$folder"; skip "$reason"; }
echo "$folder/bin/python"
