#!/usr/bin/env bash
# run.sh VENV [options of compare.py]: compare.py in an environment with onnxruntime. 77 and the reason: there can be none here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:?folder of the environment is missing}
shift
status=0
python=$("$here/../../scripts/python_env.sh" "$venv") || status=$?
[ $status -ne 77 ] || echo "SKIPPED: onnxruntime is not installed and cannot be"
[ $status -eq 0 ] || exit $status
exec "$python" "$here/compare.py" "$@"
