#!/usr/bin/env python3
"""run.py [names of tests ...]: runs them with a Python that has numpy and PyTorch: $RTMC_TORCH_PYTHON, python3 or /usr/bin/python3.
Exit status 77 with the reason where there is none."""
import os
import pathlib
import shutil
import subprocess
import sys

candidates = [os.environ.get("RTMC_TORCH_PYTHON"), sys.executable, shutil.which("python3"), "/usr/bin/python3"]
for python in candidates:
    if python and subprocess.run([python, "-c", "import numpy, torch"], capture_output=True).returncode == 0:
        break
else:
    print("SKIPPED: no python3 with numpy and torch (scripts/setup.sh --tests installs Debian's, RTMC_TORCH_PYTHON names one)")
    sys.exit(77)
here = pathlib.Path(__file__).resolve().parent
names = sys.argv[1:] or sorted(path.stem for path in here.glob("test_*.py"))
os.chdir(here)
os.execv(python, [python, "-B", "-m", "unittest", *names])
