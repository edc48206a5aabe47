"""What this machine is, and what may spoil a measurement on it. Reads /proc and /sys; measures nothing."""
import os
import pathlib
import platform


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _field(text: str, *names: str) -> str:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict:
    """What identifies a machine: results of another one are not mixed in. A virtual machine's name of its processor may hide a model,
    so the numbers beside it count too."""
    cpuinfo = _read("/proc/cpuinfo")
    family = [_field(cpuinfo, name) for name in ("cpu family", "model", "stepping")]
    caches = []
    for index in range(8):
        folder = f"/sys/devices/system/cpu/cpu0/cache/index{index}"
        if kind := _read(f"{folder}/type"):
            caches.append(f"L{_read(f'{folder}/level')} {kind.lower()} {_read(f'{folder}/size')}")
    return {"processor": _field(cpuinfo, "model name", "Processor", "CPU part") or platform.machine(),
            "family": " ".join(part for part in family if part), "architecture": platform.machine(), "cores": cores(),
            "caches": ", ".join(caches) or "unknown", "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)}


def state() -> dict:
    """What may change between two runs on one machine."""
    pages = _read("/sys/kernel/mm/transparent_hugepage/enabled")
    chosen = pages[pages.find("[") + 1:pages.find("]")] if "[" in pages else "unknown"
    release = _read("/etc/os-release")
    name = next((line.partition("=")[2].strip('"') for line in release.splitlines() if line.startswith("PRETTY_NAME=")), "unknown")
    return {"load": round(os.getloadavg()[0], 2), "huge_pages": chosen, "system": name, "kernel": platform.release(),
            "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not visible"}


def count(number: int) -> str:
    return f"{number} core{'s' if number != 1 else ''}"


def warnings(machine: dict, now: dict) -> list[str]:
    """In words, for the report."""
    said = []
    if now["load"] > 0.5:
        said.append(f"The machine was busy when the run began: load {now['load']:.2f} on {count(machine['cores'])}. Times may be too long; "
                    "ratios whose rounds disagree are not printed.")
    if now["huge_pages"] in ("never", "unknown"):
        said.append(f"Huge pages are not available (transparent_hugepage is '{now['huge_pages']}'): weights lie on 4 KB pages even in an "
                    "arena, and the row of the ablation about them shows nothing.")
    return said
