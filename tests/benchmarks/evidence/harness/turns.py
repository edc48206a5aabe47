"""Times competitors in turns, A B C A B C, so that what disturbs the machine disturbs all of them alike; whoever is wrong or falls over
becomes a row with an error and leaves the others alone."""
import pathlib
import time

import numpy

from .peers_client import Missing, Peer, Peers
from .processes import Failed


def in_turns(competitors: list, rounds: int, seconds: float, peers: Peers, scratch: pathlib.Path, say=lambda text: None) -> list[dict]:
    """-> one entry per competitor: what it is, `rounds` of {min, median, calls} in microseconds per step, or `error` (and
    `missing`: it cannot run here). None is timed before its numbers were compared."""
    ready = []
    try:
        for competitor in competitors:
            entry = competitor.entry
            entry |= {"rounds": [], "error": "", "missing": False}
            say(f"checking {entry['label']}")
            try:
                competitor.open(scratch / f"{entry['id']}.log")
                _check(competitor, peers, scratch)
                ready.append(competitor)
            except Failed as problem:
                entry |= {"error": str(problem), "missing": isinstance(problem, Missing)}
                competitor.close()
        for turn in range(rounds):
            # Each round begins with another one: whoever follows a large network finds emptier caches.
            first = turn % max(1, len(ready))
            for competitor in ready[first:] + ready[:first]:
                say(f"round {turn + 1} of {rounds}: {competitor.entry['label']}")
                _turn(competitor, seconds)
            ready = [competitor for competitor in ready if not competitor.entry["error"]]
    finally:
        for competitor in competitors:
            competitor.close()
    return [competitor.entry for competitor in competitors]


def _turn(competitor, seconds: float) -> None:
    try:
        before, begin = delays(competitor.talker.process.pid), time.monotonic()
        times = competitor.measure(seconds)
        after, passed = delays(competitor.talker.process.pid), time.monotonic() - begin
        times["waited"] = round(max((after[t] - before.get(t, 0) for t in after), default=0) / 1e9 / passed, 3)
        if not 0 < times["min"] <= times["median"]:
            raise Failed(f"its times make no sense: {times['min']} us at least, {times['median']} us median")
        competitor.entry["rounds"].append(times)
    except Failed as problem:
        competitor.entry |= {"error": f"while it was timed: {problem}", "rounds": []}


def delays(pid: int) -> dict[str, int]:
    """Thread -> nanoseconds for which it could have run and had no processor; empty where the kernel does not count them."""
    found = {}
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found[file.parent.name] = int(file.read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            pass  # the thread has ended, or there are no counts
    return found


def _check(competitor, peers: Peers, scratch: pathlib.Path) -> None:
    judge, reset = competitor.entry.get("peer"), competitor.entry.get("reset", "before")
    if not isinstance(competitor, Peer):
        # rtmc bench has checked the code against the interpreter; this compares the network that it was given, too.
        comparable = competitor.network.for_peers and not competitor.options
        judge = peers.judge_of(competitor.entry["precision"]) if comparable else None
        if judge is None:
            competitor.entry["agreement"] = None
            return
    output = scratch / f"{competitor.entry['id']}.npy"
    competitor.check(output)
    try:
        y = numpy.load(output)
    except (OSError, ValueError) as problem:
        raise Failed(f"it wrote no result: {problem}") from None
    competitor.entry["agreement"] = peers.agreement(judge, competitor.network, reset, y)
    output.unlink()
