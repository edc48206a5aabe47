"""Records -> what results.json holds: rows with intervals, and which of them are on the Pareto front. Works nothing out from text, and
measures nothing."""
import statistics
from typing import Any, Dict, List, Sequence

from .candidates import Candidate
from .pareto import excluded, front, median_of
from .store import DENSE, FORMAT

Records = Dict[str, Dict[str, Any]]


def of(sweep: Dict[str, Any], records: Records, chosen: Sequence[Candidate], precisions: Sequence[str], metric: Any,
       model: str) -> Dict[str, Any]:
    chosen_set = sweep.get("times", {}).get("set", "")
    rows = [_row(candidate, precision, records[candidate.id], chosen_set, metric, sweep["trained_by"])
            for candidate in chosen for precision in precisions]
    _mark(rows, metric.lower_is_better)
    dense = [_dense(precision, records, chosen, chosen_set, metric) for precision in precisions]
    names = [entry["name"] for record in records.values() for entry in record.get("metrics", {}).values() if not entry["error"]]
    timed = [row for row in rows if row.get("rounds")]
    return {"format": FORMAT, "model": model, "scheme": sweep["identity"]["scheme"], "pruning": sweep["identity"]["pruning"],
            "metric": {"name": names[0] if names else getattr(metric, "metric", None) or "metric", "what": metric.what,
                       "lower_is_better": metric.lower_is_better},
            "machine": sweep["runs"][-1]["machine"], "runs": sweep["runs"], "timing": sweep.get("times", {}).get("key", {}),
            "load": _load(records, chosen, precisions, chosen_set),
            "coverage": min((row["coverage"] for row in timed), default=0.0), "dense": dense, "rows": rows,
            "failed": sum(bool(row["error"]) for row in rows), "files": []}


def _samples(record: Dict[str, Any], precision: str, chosen_set: str) -> List[Dict[str, Any]]:
    entry = record.get("times", {}).get(precision)
    return entry["samples"] if entry and entry["set"] == chosen_set else []


def _load(records: Records, chosen: Sequence[Candidate], precisions: Sequence[str], chosen_set: str) -> float:
    loads = [s["load"] for candidate in chosen for precision in precisions for s in _samples(records[candidate.id], precision, chosen_set)]
    return statistics.median(loads) if loads else 0.0


def _metric_of(record: Dict[str, Any], precision: str, metric: Any) -> Dict[str, Any]:
    entry = record.get("metrics", {}).get(precision if metric.per_precision else "any")
    if not entry or entry["error"]:
        return {"error": entry["error"], "traceback": entry["traceback"]} if entry else {"error": ""}
    return {"metric": entry["value"], "figures": entry["figures"], "error": ""}


def _row(candidate: Candidate, precision: str, record: Dict[str, Any], chosen_set: str, metric: Any, trained_by: str) -> Dict[str, Any]:
    model = record["model"]
    row: Dict[str, Any] = {"id": candidate.id, "label": candidate.label, "block": list(candidate.block), "rate": candidate.rate,
                           "column_rate": candidate.column_rate, "row_rate": candidate.row_rate, "precision": precision, "pareto": False,
                           "not_excluded": False, "not_ordered": []}
    if model["error"]:
        return {**row, "error": model["error"], "traceback": model["traceback"]}
    row.update(folder=f"candidates/{candidate.id}", model=f"candidates/{candidate.id}/{model['path']}", realised_rate=model["rate"],
               network_rate=model["network_rate"], cut=model.get("cut", []), trained_by_other=model["trained_by"] != trained_by)
    row.update(_metric_of(record, precision, metric))
    entry, samples = record.get("times", {}).get(precision, {}), _samples(record, precision, chosen_set)
    if entry.get("set") == chosen_set and entry.get("error"):
        row["error"] = "\n".join(filter(None, (row["error"], entry["error"])))
        return row
    if samples:
        row.update(entry["facts"])
        row.update(_times(samples))
    return row


def _times(samples: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """A round's figure is its smallest time, which disturbances change least; of the rounds the median and its interval."""
    step = median_of([s["step_us_min"] for s in samples])
    over = median_of([s["dense_step_us_min"] / s["step_us_min"] for s in samples])
    return {"rounds": len(samples), "step_us": step.median, "step_us_low": step.low, "step_us_high": step.high, "coverage": step.coverage,
            "step_us_min": min(s["step_us_min"] for s in samples),
            "step_us_median": statistics.median(s["step_us_median"] for s in samples),
            "dense_step_us": statistics.median(s["dense_step_us_min"] for s in samples),
            "over_dense": over.median, "over_dense_low": over.low, "over_dense_high": over.high,
            "roofline_share": statistics.median(s["roofline_share"] for s in samples),
            "samples": [[s["step_us_min"], s["dense_step_us_min"]] for s in samples]}


def _dense(precision: str, records: Records, chosen: Sequence[Candidate], chosen_set: str, metric: Any) -> Dict[str, Any]:
    """The model as given, and the time of its dense form beside every candidate."""
    record = records[DENSE]
    row: Dict[str, Any] = {"precision": precision, "folder": DENSE, "error": record["model"]["error"]}
    if not row["error"]:
        row.update(_metric_of(record, precision, metric), rate=record["model"]["rate"])
    times = [s["dense_step_us_min"] for candidate in chosen for s in _samples(records[candidate.id], precision, chosen_set)]
    if times:
        row.update(step_us=statistics.median(times), step_us_min=min(times), step_us_max=max(times))
    return row


def _mark(rows: List[Dict[str, Any]], lower_is_better: bool) -> None:
    """`pareto`: on the front of medians. `not_excluded`: off it, but no row of a metric as good is surely faster. `not_ordered`: members of
    the front, other than itself, whose intervals of time touch this row's."""
    points = [row for row in rows if not row["error"] and "metric" in row and "step_us" in row]
    times = [median_of([step for step, _ in row["samples"]]) for row in points]
    costs = [row["metric"] if lower_is_better else -row["metric"] for row in points]
    members = front([(time.median, cost) for time, cost in zip(times, costs)])
    for row, member, out in zip(points, members, excluded(times, costs)):
        row["pareto"], row["not_excluded"] = member, not member and not out
    for i, row in enumerate(points):
        row["not_ordered"] = [f"{other['label']}, {other['precision']}" for j, other in enumerate(points)
                              if members[j] and j != i and not times[i].below(times[j]) and not times[j].below(times[i])]
