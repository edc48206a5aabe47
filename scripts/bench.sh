#!/usr/bin/env bash
# bench.sh [--quick] [--out FOLDER] [--rates 10,29] [--only PART[,PART]] [--torch]: measures what pruning and rtmc buy on this machine,
# against what else could be used and against the machine's limits, and writes report.html, results.md and results.json into build/bench.
# Installs and builds what is missing. Killed, it goes on where it stopped. tests/benchmarks/evidence/README.md says what is measured.
source "$(dirname "$0")/common.sh"
evidence=tests/benchmarks/evidence facts=build/bench-environment.json torch=()
command -v python3 > /dev/null || scripts/setup.sh
python3 -B "$evidence/main.py" --check-options "$@"
for word in "$@"; do
  case $word in
    -h | --help) exit 0 ;;
    --torch) torch=(--torch) ;;
  esac
done

# What cannot be had is a line of the report: nothing below ends the script but a Python without numpy.
scripts/setup.sh || say "packages are missing (above)"
say "building rtmc"
(build release rtmc rtmc-runner rtm) >&2 || say "rtmc was not built (above): its rows will be missing"
say "looking for the peers' libraries"
python3 -B "$evidence/environment.py" build/bench-venv --facts "$facts" "${torch[@]}" || fail "nothing can be measured without numpy"
python=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["python"])' "$facts")
say "measuring; it may be stopped at any time: the same command goes on"
exec "$python" -B "$evidence/main.py" --environment "$facts" "$@"
