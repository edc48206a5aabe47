#!/usr/bin/env python3
"""run.py [--without-torch] [--in FOLDER] [names of tests ...]: runs them (default: all of the folder, which is this one) with a Python that
has numpy and PyTorch: $RTMC_TORCH_PYTHON, python3 or /usr/bin/python3. With --without-torch numpy is enough. Exit status 77 with the reason
where there is none."""
import os
import pathlib
import shutil
import subprocess
import sys

names, here = sys.argv[1:], pathlib.Path(__file__).resolve().parent
if "--in" in names:
    at = names.index("--in")
    here = pathlib.Path(names[at + 1]).resolve()
    del names[at:at + 2]
torch = "--without-torch" not in names
names = [name for name in names if name != "--without-torch"]
candidates = [os.environ.get("RTMC_TORCH_PYTHON"), sys.executable, shutil.which("python3"), "/usr/bin/python3"]
for python in candidates:
    if python and subprocess.run([python, "-c", "import numpy, torch" if torch else "import numpy"], capture_output=True).returncode == 0:
        break
else:
    print("SKIPPED: no python3 with numpy and torch (scripts/setup.sh --tests installs Debian's, RTMC_TORCH_PYTHON names one)"
          if torch else "SKIPPED: no python3 with numpy (scripts/setup.sh installs python3-numpy)")
    sys.exit(77)
names = names or sorted(path.stem for path in here.glob("test_*.py"))
os.chdir(here)
os.execv(python, [python, "-B", "-m", "unittest", *names])
