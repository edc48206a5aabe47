"""rtmc as a competitor: its library is compiled once per network, precision, threads and options, checked by rtmc itself (`rtmc bench`
refuses to time wrong numbers), and then timed by rtmc-runner in a process of its own, in turns with the others."""
import dataclasses
import hashlib
import json
import os
import pathlib

import numpy

from . import processes
from .networks import Network
from .processes import Failed

PATIENCE = 300  # seconds
FACTS = ("name", "chunk", "nonzeros", "weight_bytes", "index_bytes", "csr_bytes", "code_bytes", "loads_before", "loads_after", "floor_us",
         "floor_bandwidth_us", "floor_multiply_add_us", "floor_gates_us", "live_gates", "footprint_bytes", "footprint_gbps", "phase_us",
         "placement", "threads_used", "cpu", "target")


@dataclasses.dataclass(frozen=True)
class Library:
    path: pathlib.Path
    facts: dict  # for one number of steps a call: a floor depends on it

    @property
    def symbol(self) -> str:
        return f"{self.facts['name']}_model"

    @property
    def arena(self) -> bool:
        return self.facts["placement"] == "arena"


class Rtmc:
    """The program, or why there is none: `missing` is "" where it works."""

    def __init__(self, path: pathlib.Path):
        self.path, self.runner = path, path.with_name("rtmc-runner")
        self.version, self.missing = "", ""
        self.hash = self.runner_hash = "missing"
        self.libraries: dict[tuple, Library] = {}
        self.codes: dict[tuple, str] = {}
        try:
            self.version = processes.run([str(path), "--version"], 30).strip()
            if not self.runner.exists():
                raise Failed(f"rtmc-runner is not beside {path.name}")
            self.hash, self.runner_hash = self._hash(path), self._hash(self.runner)
        except Failed as problem:
            self.missing = f"rtmc: {problem}"

    def _hash(self, program: pathlib.Path) -> str:
        """Of a program, the headers that generated code includes, and the compiler that was asked for."""
        digest = hashlib.sha256(os.environ.get("CXX", "").encode())
        for file in (program, *sorted((self.path.parent.parent / "include" / "rtm").glob("*"))):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def json(self, *arguments: str) -> dict:
        if self.missing:
            raise Failed(self.missing)
        text = processes.run([str(self.path), *arguments, "--json", "--quiet"], PATIENCE)
        try:
            return json.loads(text)
        except ValueError:
            raise Failed(f"rtmc {arguments[0]} printed no JSON") from None

    def library(self, network: Network, precision: str, threads: int, steps: int, options: tuple[str, ...] = ()) -> Library:
        """Compiled and checked; kept while its network is."""
        key = (network.folder, precision, threads, steps, options)
        if key not in self.libraries:
            how = _words(precision, threads, options)
            bench = self.json("bench", str(network.model), *how, "--steps-per-call", str(steps), "--quick")
            path, more = self._compile(network, how, bench["compiler"])
            self.libraries[key] = Library(path, {name: bench[name] for name in FACTS if name in bench} | more)
        return self.libraries[key]

    def code(self, network: Network, precision: str, threads: int, options: tuple[str, ...] = ()) -> str:
        """What the facts of its library call `code`; asked once per network, since many cells have the dense one."""
        how = _words(precision, threads, options)
        if (network.folder, how) not in self.codes:
            folder = network.folder / "code"
            folder.mkdir(exist_ok=True)
            self.codes[network.folder, how] = self._source(network, how, folder)
        return self.codes[network.folder, how]

    def _source(self, network: Network, how: tuple[str, ...], folder: pathlib.Path) -> str:
        """Writes it as kernel.cpp, a name that it says itself; -> its hash."""
        if self.missing:
            raise Failed(self.missing)
        source = folder / "kernel.cpp"
        processes.run([str(self.path), str(network.model), "-o", str(source), *how, "--quiet"], PATIENCE)
        return hashlib.sha256(source.read_bytes()).hexdigest()[:16]

    def _compile(self, network: Network, how: tuple[str, ...], compiler: dict) -> tuple[pathlib.Path, dict]:
        """-> the library, and facts about it that do not depend on how it is called."""
        folder = network.folder / hashlib.sha256(repr(how).encode()).hexdigest()[:12]
        source, library, facts = folder / "kernel.cpp", folder / "model.so", folder / "facts.json"
        if not facts.exists():
            folder.mkdir(exist_ok=True)
            inspect = self.json("inspect", str(network.model), *how)
            code = self._source(network, how, folder)
            processes.run([*compiler["cxx"], *compiler["cxx_flags"], f"-Wa,-I{folder}", str(source), "-o", str(library)], PATIENCE)
            source.unlink()
            facts.write_text(json.dumps({"compiler": compiler["cxx_version"], "code": code, "folded": inspect.get("folded"),
                                         "phases": [phase["name"] for phase in inspect.get("phases", [])]}))
        return library, json.loads(facts.read_text())

    def forget(self, network_folder: pathlib.Path) -> None:
        for key in [key for key in self.libraries if key[0] == network_folder]:
            del self.libraries[key]


def _words(precision: str, threads: int, options: tuple[str, ...]) -> tuple[str, ...]:
    return ("--precision", precision, "--threads", str(threads), *options)


class Ours:
    """One library in one rtmc-runner. Same face as peers_client.Peer."""

    def __init__(self, rtmc: Rtmc, network: Network, label: str, precision: str, threads: int, steps: int, run_threads: int = 0,
                 options: tuple[str, ...] = ()):
        self.rtmc, self.network, self.options = rtmc, network, options
        self.steps, self.compiled, self.threads = steps, threads, run_threads or threads
        self.entry = {"id": f"rtmc-{label}", "label": f"rtmc {label}", "kind": "ours", "precision": precision, "threads": self.threads,
                      "steps": steps, "products_only": False, "settings": " ".join(options), "version": rtmc.version}
        self.talker, self.library = None, None

    def code(self) -> str:
        return self.rtmc.code(self.network, self.entry["precision"], self.compiled, self.options)

    def open(self, log: pathlib.Path) -> None:
        self.library = self.rtmc.library(self.network, self.entry["precision"], self.compiled, self.steps, self.options)
        self.entry["facts"] = self.library.facts
        self.talker = processes.Talker([str(self.rtmc.runner)], log)
        self._ask({"cmd": "load", "library": str(self.library.path), "symbol": self.library.symbol})

    def _ask(self, request: dict) -> dict:
        reply = self.talker.ask(request, PATIENCE)
        if not reply.get("ok"):
            raise Failed(f"rtmc-runner: {reply.get('error', 'no reason')}")
        return reply

    def _session(self) -> dict:
        return {"threads": self.threads, "arena": self.library.arena}

    def check(self, output: pathlib.Path) -> None:
        raw = output.with_suffix(".f32")
        self._ask({"cmd": "run", "input": str(self.network.folder / "x.f32"), "steps": self.network.steps, "output": str(raw),
                   "chunk": 1, **self._session()})
        numpy.save(output, numpy.fromfile(raw, "<f4").reshape(self.network.steps, -1))
        os.remove(raw)

    def measure(self, seconds: float) -> dict:
        reply = self._ask({"cmd": "bench", "input": str(self.network.folder / "timed.f32"), "steps": self.network.timed_steps,
                           "phases": False, "steps_per_call": self.steps, "min_seconds": seconds, **self._session()})
        self.entry["threads_used"] = reply["threads_used"]
        return {"min": reply["step_us_min"], "median": reply["step_us_median"],
                "calls": reply["repetitions"] * reply["calls_per_repetition"]}

    def close(self) -> None:
        if self.talker:
            self.talker.close()
