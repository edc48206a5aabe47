#!/usr/bin/env python3
"""Makes the Python environment of the benchmark, once: numpy, matplotlib, pyyaml and the peers' wheels, each installed by itself, so
that one that cannot be had costs one row. Needs nothing but the standard library.

    environment.py FOLDER --facts FILE.json [--torch]

The facts: {"python":, "wheels": {name: version}, "missing": {name: reason}, "pythons": {library: another Python that has it}}.
torch is not installed unless asked for; it is used where $RTMC_PYTHON, or this machine's python3, has it.
Exit status 0 also where wheels are missing; 77 where no Python with numpy can be had at all, with the reason on stderr.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OWN = ("numpy", "matplotlib", "pyyaml")
UNREACHABLE = re.compile(r"failed to establish a new connection|name resolution|network is unreachable|timed out", re.I)
VERSIONS = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def peers_wheels() -> list[str]:
    sys.path.insert(0, str(HERE))
    try:
        from peers import PEERS
    except ImportError:
        return []
    return list(dict.fromkeys(wheel for info in PEERS.values() for wheel in (getattr(info, "wheels", None) or (info.library,)) if wheel))


def run(command: list[str], seconds: float) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return 1, str(problem)
    return done.returncode, done.stdout + done.stderr


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason was given"


def installed(python: str, wheels: list[str]) -> dict[str, str]:
    """name -> version of those that `python` has."""
    status, text = run([python, "-c", VERSIONS, *wheels], 60)
    try:
        return json.loads(last_line(text)) if status == 0 else {}
    except ValueError:
        return {}


def works(python: str) -> bool:
    return run([python, "-c", "import sys; assert sys.version_info >= (3, 10)"], 60)[0] == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--facts", type=pathlib.Path, required=True)
    parser.add_argument("--torch", action="store_true")
    arguments = parser.parse_args()
    missing: dict[str, str] = {}
    wheels = [*OWN, *(wheel for wheel in peers_wheels() if wheel not in OWN)]
    python = str(arguments.folder / "bin" / "python")
    arguments.folder.parent.mkdir(parents=True, exist_ok=True)
    if not works(python):
        status, text = run([sys.executable, "-m", "venv", "--clear", str(arguments.folder)], 120)
        if status:
            missing["venv"] = last_line(text)
            python = sys.executable
    found = installed(python, wheels)
    others = {}
    for wheel in wheels:
        if wheel in found:
            continue
        if "venv" in missing:
            missing[wheel] = f"no virtual environment: {missing['venv']}"
            continue
        if wheel == "torch" and not arguments.torch:
            other = system_python_with("torch", python)
            if other:
                others["torch"] = other
                found["torch"] = installed(other, ["torch"])["torch"]
            else:
                missing["torch"] = "not asked for (--torch)"
            continue
        print(f"installing {wheel}", file=sys.stderr)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "-q", "--retries", "1",
               "--timeout", "20", wheel]
        # PyPI's torch is the last resort: it has gigabytes of CUDA behind it.
        for more in ([["--index-url", TORCH_INDEX], []] if wheel == "torch" else [[]]):
            status, text = run(pip + more, 1800)
            if status == 0:
                break
        if status:
            missing[wheel] = "the package index cannot be reached" if UNREACHABLE.search(text) else last_line(text)
    found |= installed(python, wheels)
    if "numpy" not in found:
        # Debian's numpy: everything can be measured then but the peers, and nothing is drawn.
        for other in (sys.executable, "/usr/bin/python3"):
            if run([other, "-c", "import numpy"], 60)[0] == 0:
                python, found = other, installed(other, wheels)
                break
        else:
            print(f"no Python with numpy: {missing.get('numpy', 'no reason was given')}", file=sys.stderr)
            return 77
    missing = {name: why for name, why in missing.items() if name not in found}
    facts = {"python": python, "wheels": found, "missing": missing, "pythons": others}
    temporary = arguments.facts.with_name(f"{arguments.facts.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, arguments.facts)
    return 0


def system_python_with(module: str, but: str) -> str | None:
    """A Python of this machine that has the module and numpy, as a user may have installed it."""
    for python in dict.fromkeys((os.environ.get("RTMC_PYTHON", ""), sys.executable, "/usr/bin/python3")):
        if python and python != but and run([python, "-c", f"import numpy, {module}"], 120)[0] == 0 and installed(python, [module]):
            return python
    return None


if __name__ == "__main__":
    sys.exit(main())
