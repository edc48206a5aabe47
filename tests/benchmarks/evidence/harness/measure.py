"""How each kind of cell is measured: which competitors it has. One function per part; results are plain dicts for results.json."""
import dataclasses
import pathlib

from . import lyra, small, spy
from .networks import DENSE, Networks
from .ours import Ours, Rtmc
from .peers_client import Peer, Peers
from .plan import Cell
from .processes import Failed
from .store import Store
from .turns import in_turns

# Each idea of the paper, switched off alone. What the option does stands in `rtmc --help-developer`.
ABLATIONS = (("without folding", ("--no-fold",)), ("without one order per layer", ("--no-permute",)),
             ("without reorder", ("--no-reorder",)), ("without load sharing", ("--no-share-loads",)),
             ("without the compact format", ("--no-compact",)),
             ("without chunks of steps", ("--chunk", "1")), ("without unrolling", ("--unroll", "none")),
             ("without huge pages", ("--placement", "in-place")))


@dataclasses.dataclass
class Bench:
    """What cells are measured with."""
    rtmc: Rtmc
    peers: Peers
    networks: Networks
    store: Store
    scratch: pathlib.Path
    say: object = lambda text: None

    def turns(self, cell: Cell, competitors: list) -> list[dict]:
        how = dict(cell.settings)
        return in_turns(competitors, how["rounds"], how["seconds"], self.peers, self.scratch, self.say)

    def network(self, rate: int, block: str):
        self.say(f"making the network at {rate}x, blocks {block}")
        network = self.networks.reference(rate, block)
        for folder in {key[0] for key in self.rtmc.libraries} - {known.folder for known in self.networks.at_hand.values()}:
            self.rtmc.forget(folder)
        return network


@dataclasses.dataclass
class Group:
    """Who meets whom in a cell, on which network; `facts`: what else the cell's result says."""
    network: object
    competitors: list
    facts: dict = dataclasses.field(default_factory=dict)


def measure(bench: Bench, cell: Cell) -> dict:
    """-> what goes into results.json. Failed where the whole cell cannot be measured."""
    if cell.part == "machine":
        bench.say("measuring the machine")
        quick = ["--quick"] if dict(cell.settings)["form"] == "quick" else []
        return {"machine": bench.rtmc.json("machine", *quick)}
    group = _GROUPS[cell.part](bench, cell)
    result = {"rtmc": bench.rtmc.hash, "kept": group.network.kept, "weights": group.network.weights,
              "competitors": bench.turns(cell, group.competitors)} | group.facts
    if cell.part == "ablation":
        try:
            result["pattern"] = spy.pattern(bench.rtmc, group.network, cell.precision)
        except Failed as problem:
            result["pattern"] = {"missing": str(problem)}
    return result


def fresh(bench: Bench, cell: Cell, result: dict | None) -> bool:
    """Whether a stored result still stands: peers may have come since, or the fastest dense one be known by now, or rtmc make other
    code of the cell's networks. Keeps in mind that it does not."""
    if result is None or result.get("peers_state", bench.peers.state()) != bench.peers.state():
        return False
    if cell.part == "reference" and not result["best_dense"] and best_dense(bench.store.get(dense_key(cell))):
        return False
    if of_another_rtmc(bench, cell, result):
        if not _same_code(bench, cell, result):
            return False
        bench.store.put(cell.key, result | {"rtmc": bench.rtmc.hash})
    return True


def of_another_rtmc(bench: Bench, cell: Cell, result: dict) -> bool:
    """The machine's own figures come from the runner alone."""
    return cell.part != "machine" and result.get("rtmc") != bench.rtmc.hash


def _same_code(bench: Bench, cell: Cell, result: dict) -> bool:
    known = {entry["id"]: entry.get("facts", {}).get("code") for entry in result["competitors"] if entry["kind"] == "ours"}
    try:
        ours = [one for one in _GROUPS[cell.part](bench, cell).competitors if isinstance(one, Ours)]
        return known.keys() == {one.entry["id"] for one in ours} and all(known[one.entry["id"]] == one.code() for one in ours)
    except (Failed, OSError):
        return False  # measuring says why


def dense_key(cell: Cell) -> str:
    """Of the cell in which the dense peers were measured with the same threads and steps."""
    return dataclasses.replace(cell, part="dense", values=(("threads", cell.threads), ("steps", cell.steps))).key


def best_dense(result: dict | None) -> list[dict]:
    """The fastest dense peer that runs the whole network, and the fastest with f32 weights where it is another."""
    if not result:
        return []
    timed = [entry for entry in result["competitors"] if entry["kind"] == "peer" and entry["rounds"] and not entry["products_only"]]
    timed.sort(key=lambda entry: min(r["min"] for r in entry["rounds"]))
    f32 = [entry for entry in timed if entry["precision"] == "f32"]
    return timed[:1] + [entry for entry in f32[:1] if entry is not timed[0]]


def _dense(bench: Bench, cell: Cell) -> Group:
    network = bench.network(1, DENSE.partition("_")[2])
    competitors = [Ours(bench.rtmc, network, "f32", "f32", cell.threads, cell.steps)]
    competitors += _peers(bench, network, True, cell.threads, cell.steps, dict(cell.settings)["forms"])
    return Group(network, competitors, _peers_state(bench))


def _peers_state(bench: Bench) -> dict:
    return {"peers_state": bench.peers.state()}


def _peers(bench: Bench, network, dense: bool, threads: int, steps: int, forms: int = 2) -> list[Peer]:
    chosen = bench.peers.chosen(dense, forms=forms)
    names = [name for name, _ in chosen]
    return [Peer(bench.peers, name, reset, network, threads, steps, names.count(name) == 1) for name, reset in chosen]


def _reference(bench: Bench, cell: Cell) -> Group:
    network = bench.network(cell.rate, cell.block)
    competitors = []
    for precision in cell.precisions:
        competitors.append(Ours(bench.rtmc, network, precision, precision, cell.threads, cell.steps))
        if cell.threads > 1:
            # The same library on one thread: what the second one is worth.
            competitors.append(Ours(bench.rtmc, network, f"{precision} one thread", precision, cell.threads, cell.steps, run_threads=1))
    dense = bench.networks.reference(1, cell.block)
    if cell.rate > 1:
        competitors += [Ours(bench.rtmc, dense, f"{p} dense", p, cell.threads, cell.steps) for p in cell.precisions]
    best = best_dense(bench.store.get(dense_key(cell)))
    competitors += [Peer(bench.peers, entry["peer"], entry["reset"], dense, cell.threads, cell.steps) for entry in best
                    if entry["peer"] in bench.peers.known]
    return Group(network, competitors, _peers_state(bench) | {"best_dense": [entry["id"] for entry in best]})


def _sparse(bench: Bench, cell: Cell) -> Group:
    network = bench.network(cell.rate, cell.block)
    competitors = [Ours(bench.rtmc, network, precision, precision, cell.threads, 1) for precision in ("f32", "bf16")]
    competitors += _peers(bench, network, False, cell.threads, 1)
    return Group(network, competitors, _peers_state(bench))


def _ablation(bench: Bench, cell: Cell) -> Group:
    network = bench.network(cell.rate, cell.block)
    competitors = [Ours(bench.rtmc, network, "full compiler", cell.precision, 1, 50)]
    competitors += [Ours(bench.rtmc, network, label, cell.precision, 1, 50, options=options) for label, options in ABLATIONS]
    return Group(network, competitors)


def _scaling(bench: Bench, cell: Cell) -> Group:
    """Against the best code for one thread: it shares readings among the steps of a call, and code for several does not."""
    network = bench.network(cell.rate, cell.block)
    competitors = [Ours(bench.rtmc, network, f"{t} thread{'s' if t > 1 else ''}", cell.precision, t, 50) for t in (cell.threads, 1)]
    return Group(network, competitors)


def _lyra(bench: Bench, cell: Cell) -> Group:
    bench.say(f"making {cell.matrix}")
    network = lyra.make(bench.scratch / "lyra", cell.matrix)
    competitors = [Ours(bench.rtmc, network, precision, precision, 1, 50) for precision in ("f32", "bf16")]
    return Group(network, competitors)


def _small(bench: Bench, cell: Cell) -> Group:
    bench.say(f"making {cell.network}")
    network, op, reset, what = small.make(bench.scratch / "small", cell.network)
    competitors = [Ours(bench.rtmc, network, precision, precision, 1, 1) for precision in ("f32", "bf16")]
    chosen = dict.fromkeys((name, reset) for name, form in bench.peers.chosen(True, op)
                           if op == "lstm" or form == reset or bench.peers.known[name].products_only)
    competitors += [Peer(bench.peers, name, form, network, 1, 1) for name, form in chosen]
    return Group(network, competitors, _peers_state(bench) | {"what": what})


_GROUPS = {"dense": _dense, "reference": _reference, "sparse": _sparse, "ablation": _ablation, "scaling": _scaling,
           "small": _small, "lyra": _lyra}
