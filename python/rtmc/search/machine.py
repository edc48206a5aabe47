"""What times belong to: this machine, this rtmc and this C++ compiler. Reads files; measures nothing."""
import hashlib
import os
import pathlib
import platform
from typing import Any, Dict

from ..build import find_compiler, find_runtime, run


def machine() -> Dict[str, Any]:
    """A virtual machine's name of its processor may hide a model, so the numbers beside it count too."""
    facts: Dict[str, str] = {}
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    numbers = " ".join(facts[name] for name in ("cpu family", "model", "stepping") if name in facts)
    return {"processor": facts.get("model name") or facts.get("CPU part") or platform.processor() or "unknown", "family": numbers,
            "architecture": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)}


def programs(rtmc: str) -> Dict[str, str]:
    """Versions, and hashes of everything of rtmc that decides what is timed. A CompileError where something is missing."""
    compiler = find_compiler(None)
    library, include = find_runtime(rtmc)
    digest = hashlib.sha256()
    program = pathlib.Path(rtmc)
    for file in (program, program.with_name("rtmc-runner"), pathlib.Path(library), *sorted(pathlib.Path(include, "rtm").glob("*"))):
        digest.update(file.read_bytes() if file.is_file() else b"")
    version = run([*compiler, "--version"]).splitlines()
    return {"rtmc": run([rtmc, "--version"]).strip(), "rtmc_hash": digest.hexdigest()[:16],
            "compiler": f"{' '.join(compiler)}: {version[0] if version else 'unknown'}"}


def load() -> float:
    return round(os.getloadavg()[0], 2)


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
