"""A peer as a competitor: peers/worker.py in a process of its own (the protocol stands at its top). Owns starting it, asking it and
comparing what it computes; refuses to know any library."""
import hashlib
import importlib
import os
import pathlib
import sys

import numpy

from . import processes
from .networks import Network
from .processes import Failed

START, TURN = 300, 120  # seconds that a worker may take


class Missing(Failed):
    """The peer cannot run here; the text says why."""


class Peers:
    """The list of peers in `folder`, and the Python that runs each."""

    def __init__(self, folder: pathlib.Path, environment: dict):
        self.folder, self.environment = folder, environment
        self.known, self.missing, self.judged = {}, "", {}
        if not (folder / "__init__.py").exists():
            self.missing = f"no peers: there is no {folder.name}/__init__.py"
            return
        sys.path.insert(0, str(folder.parent))
        try:
            self.known = importlib.import_module(folder.name).PEERS
            self.reference = importlib.import_module(f"{folder.name}.reference")
        except ImportError as problem:
            self.known, self.missing = {}, f"no peers: {problem}"

    def state(self) -> dict:
        """What a result with peers depends on: a wheel that came or changed makes it old, and so does other code of theirs."""
        digest = hashlib.sha256()
        for file in sorted(path for pattern in ("*.py", "*.c") for path in self.folder.glob(pattern)):
            digest.update(file.read_bytes())
        return {"peers": sorted(self.known), "wheels": self.environment.get("wheels", {}), "code": digest.hexdigest()[:16]}

    def chosen(self, dense: bool, op: str = "gru", forms: int = 2) -> list[tuple[str, str]]:
        """(name, reset form) of those that read zeros like any weight, or of those that skip them; at most `forms` of each."""
        found = []
        for info in self.known.values():
            if bool(info.dense) == dense:
                # Products have no reset, and an LSTM has none.
                runs = ("before",) if info.products_only or op != "gru" else tuple(info.reset)
                found += [(info.name, form) for form in ("before", "after") if form in runs][:forms]
        return found

    def why_missing(self, info) -> str:
        """The installer's reason, where it has one."""
        for wheel in (info.wheels if hasattr(info, "wheels") else (info.library,)):
            reason = self.environment.get("missing", {}).get(wheel)
            if reason:
                return f"{wheel} is not installed: {reason}"
        return ""

    def python(self, info) -> str:
        return self.environment.get("pythons", {}).get(info.library) or sys.executable

    def agreement(self, name: str, network: Network, reset: str, y: numpy.ndarray) -> dict:
        """Failed, with the numbers, where it is not the reference within the rounding of the peer's precision."""
        info, npz, x = self.known[name], network.npz(reset), numpy.load(network.x)
        # The reference takes a second, so each kind of result has it worked out once.
        kind = (npz, info.precision, info.products_only, info.dense)
        if kind not in self.judged:
            try:
                found = self.reference.agreement(name, npz, x, y)
                exact = self.reference.reference(name, npz, x)
            except (ValueError, OSError) as problem:
                raise Failed(f"its numbers cannot be compared: {problem}") from None
            if not found.ok:
                raise Failed(f"its numbers are wrong: {found.why}")
            self.judged[kind] = (exact, float(found.bound))
        exact, bound = self.judged[kind]
        if y.shape != exact.shape:
            raise Failed(f"its numbers are wrong: their shape is {y.shape}; {exact.shape} is needed")
        difference = float(numpy.abs(y - exact).max())
        if not difference <= bound:  # not a number is wrong, too
            raise Failed(f"its numbers are wrong: they differ by {difference:.3g}; {bound:.3g} is allowed")
        return {"difference": difference, "bound": bound}

    def judge_of(self, precision: str) -> str | None:
        """A dense peer of the same precision that runs whole networks with reset before: ours must agree as closely as it."""
        return next((info.name for info in self.known.values() if info.precision == precision and info.dense
                     and not info.products_only and "before" in info.reset), None)


class Peer:
    """Same face as ours.Ours."""

    def __init__(self, peers: Peers, name: str, reset: str, network: Network, threads: int, steps: int, only_form: bool = True):
        self.peers, self.info, self.network, self.reset = peers, peers.known[name], network, reset
        self.threads, self.steps, self.talker = threads, steps, None
        form = "" if only_form or self.info.products_only else f", reset {reset}"
        self.entry = {"id": f"{name}-{reset}", "label": f"{name}{form}", "kind": "peer", "peer": name, "reset": reset,
                      "precision": self.info.precision, "dense": bool(self.info.dense), "threads": threads, "steps": steps,
                      "products_only": bool(self.info.products_only), "settings": "", "version": "", "what": self.info.what}

    def open(self, log: pathlib.Path) -> None:
        if reason := self.peers.why_missing(self.info):
            raise Missing(reason)
        command = [self.peers.python(self.info), "-B", str(self.peers.folder / "worker.py"), "--peer", self.info.name, "--network",
                   str(self.network.npz(self.reset)), "--input", str(self.network.x), "--threads", str(self.threads),
                   "--steps-per-call", str(self.steps)]
        self.talker = processes.Talker(command, log, dict(os.environ))
        ready = self.talker.listen(START)
        if not ready.get("ready"):
            raise Missing(ready.get("reason") or "it does not say why")
        self.entry |= {"version": ready.get("version", ""), "settings": ready.get("settings", ""),
                       "products_only": bool(ready.get("products_only", self.info.products_only))}

    def _ask(self, request: dict, timeout: float) -> dict:
        reply = self.talker.ask(request, timeout)
        if "error" in reply:
            raise Failed(str(reply["error"]))
        return reply

    def check(self, output: pathlib.Path) -> None:
        self._ask({"do": "check", "output": str(output)}, START)

    def measure(self, seconds: float) -> dict:
        reply = self._ask({"do": "measure", "seconds": seconds}, TURN + seconds)
        try:
            return {"min": float(reply["step_us_min"]), "median": float(reply["step_us_median"]), "calls": int(reply["calls"])}
        except (KeyError, TypeError, ValueError):
            raise Failed("its reply has no times") from None

    def close(self) -> None:
        if self.talker:
            self.talker.close()
