#!/usr/bin/env bash
# phones.sh prepare | train | evaluate | report ...: the experiment on real speech (examples/phones/README.md), with what it needs in
# build/phones-venv. Killed, the same command goes on. PyTorch from PyPI is 5 GB.
source "$(dirname "$0")/common.sh"
venv=build/phones-venv
if ! "$venv/bin/python" -c 'import kaldi_native_fbank, matplotlib, rapidfuzz, scipy, soundfile, torch, yaml' 2> /dev/null; then
  say "installing PyTorch and the rest into $venv"
  mkdir -p build
  python3 -m venv --clear "$venv" && "$venv/bin/python" -m pip install --disable-pip-version-check -q torch -r examples/phones/training/requirements.txt ||
    fail "the wheels could not be installed (no network?)"
fi
exec "$venv/bin/python" -B examples/phones/training/main.py "$@"
