"""results.json, results.md and pareto.svg, each whole or not at all."""
import json
import pathlib
from fractions import Fraction
from typing import Any, Dict, List, Optional

from ..files import write_whole
from .errors import in_short

_READING = """`*`: on the Pareto front of the medians: no other candidate is as good in both and better in one. `(*)`: not on it, but the
noise does not exclude it: no candidate with a metric as good is surely faster. Two candidates whose intervals of time touch are not ordered
by time; the last column names the members of the front for which that is so. The metric is taken as exact. The row `as given` has the
metric of the model as it was given and the time of its dense form.
"""


def write(folder: pathlib.Path, found: Dict[str, Any]) -> Dict[str, Any]:
    picture, why = _picture(found)
    if picture is None:
        (folder / "pareto.svg").unlink(missing_ok=True)  # of an earlier call: it would show other results
    else:
        write_whole(folder / "pareto.svg", [picture.encode()])
    found["files"] = ["results.json", "results.md", *(["pareto.svg"] if picture else [])]
    found["no_picture"] = why
    write_whole(folder / "results.md", [markdown(found).encode()])
    write_whole(folder / "results.json", [(json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()])
    return found


def _picture(found: Dict[str, Any]) -> "tuple[Optional[str], str]":
    try:
        from . import picture
    except ImportError as error:
        return None, f"matplotlib cannot be imported ({error}); `pip install matplotlib`, then run the same command again"
    drawn = picture.pareto(found)
    return drawn, "" if drawn else "no candidate has both a metric and a time"


def markdown(found: Dict[str, Any]) -> str:
    metric, machine = found["metric"], found["machine"]
    better = "lower" if metric["lower_is_better"] else "higher"
    last = found["runs"][-1]
    lines = [f"# Block size, {metric['name']} and time of {found['model']}", "",
             f"![The Pareto front: {metric['name']} against the time of a step](pareto.svg)" if not found["no_picture"]
             else f"No picture: {found['no_picture']}.", "",
             f"- Scheme {found['scheme']}, {'trained' if found['pruning'] == 'trained' else 'pruned in one shot by `rtmc prune`'}.",
             f"- {metric['name']} ({better} is better): {metric['what']}.",
             f"- {machine['processor']} ({machine['family'] or machine['architecture']}), {machine['cores']} cores, "
             f"{machine['memory_gib']} GiB; {last['rtmc']}; {last['compiler']}; `rtmc bench {found['timing'].get('options', '')}`.",
             f"- Calls: {len(found['runs'])}, the last at {last['at']}.", _rounds(found), ""]
    if found["load"] > found["timing"].get("threads", 1) + 1:
        lines += [f"The machine was busy with other things: load {found['load']:.1f} while steps were timed, of which the timing itself is "
                  "1 per thread. Times may be too long.", ""]
    good = [row for row in found["rows"] if not row["error"] and "metric" in row and "step_us" in row]
    good.sort(key=lambda row: row["step_us"])
    lines += _table(found, good)
    lines += ["", _READING]
    failed = [row for row in found["rows"] if row["error"]]
    if failed:
        lines += ["## Failed", "", "| block | rate | precision | us per step | why |", "|---|---|---|---|---|"]
        lines += [f"| {_block(row)} | {_rate(row)} | {row['precision']} | {_us(row)} | {_cell(in_short(row['error']))} |" for row in failed]
        lines += ["", "Whole messages are in results.json. What failed in pruning, training or evaluation is tried again by the same "
                  "command, times by `--again times`.", ""]
    waiting = [row for row in found["rows"] if row not in good and row not in failed]
    if waiting:
        lines += [f"Not measured yet: {', '.join(row['label'] + ' ' + row['precision'] for row in waiting)}.", ""]
    stale = [row["label"] for row in found["rows"] if row.get("trained_by_other")]
    if stale:
        lines += [f"Trained by an earlier text of the training function: {', '.join(dict.fromkeys(stale))}.", ""]
    far = [f"{row['label']} keeps 1 in {row['realised_rate']:.3g}" for row in good if not 0.9 < row["realised_rate"] / _asked(row) < 1.1]
    if far:
        lines += ["Far from the rate that was asked, since counts are whole and at least one column or row of a block stays: "
                  f"{'; '.join(dict.fromkeys(far))}.", ""]
    cut = list(dict.fromkeys(f"{name} in {block} of {row['block'][0]}x{row['block'][1]}" for row in good for name, block in row["cut"]))
    if cut:
        lines += [f"Blocks cut to smaller gates: {'; '.join(cut)}.", ""]
    return "\n".join(lines)


def _rounds(found: Dict[str, Any]) -> str:
    counts = [row["rounds"] for row in found["rows"] if row.get("rounds")]
    if not counts:
        return "- Nothing was timed."
    few, many = min(counts), max(counts)
    rounds = f"{few}" if few == many else f"{few} to {many}"
    if not found["coverage"]:
        return f"- Rounds: {rounds}. That is too few for intervals: no two candidates are ordered by time. `--rounds 6` is enough."
    return (f"- Rounds, all candidates in turns: {rounds}. A time is the median of the rounds' smallest, and the interval holds the true "
            f"median with {100 * found['coverage']:.0f} % probability. `dense / pruned` is against the dense form of the same precision, "
            "timed in the same run.")


def _table(found: Dict[str, Any], good: List[Dict[str, Any]]) -> List[str]:
    lines = [f"| | block | rate | realised | precision | {_cell(found['metric']['name'])} | us per step | dense / pruned | bytes | not "
             "ordered by time |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in found["dense"]:
        value = f"{row['metric']:.4g}" if "metric" in row else _cell(in_short(row["error"])) if row["error"] else ""
        lines.append(f"| | as given | | {row.get('rate', 1):.3g} | {row['precision']} | {value} | {_us(row)} | 1 | | |")
    for row in good:
        mark = "*" if row["pareto"] else "(*)" if row["not_excluded"] else ""
        over = f"{row['over_dense']:.3g}"
        if row["over_dense_low"] is not None:
            over += f" ({row['over_dense_low']:.3g} - {row['over_dense_high']:.3g})"
        lines.append(f"| {mark} | {_block(row)} | {_rate(row)} | {row['realised_rate']:.3g} | {row['precision']} | {row['metric']:.4g} | "
                     f"{_us(row)} | {over} | {row['weight_bytes'] + row['index_bytes']} | {'; '.join(row['not_ordered'])} |")
    return lines


def _block(row: Dict[str, Any]) -> str:
    return f"{row['block'][0]}x{row['block'][1]}"


def _rate(row: Dict[str, Any]) -> str:
    return row["rate"] or f"{row['column_rate']} x {row['row_rate']}"


def _asked(row: Dict[str, Any]) -> float:
    return float(Fraction(row["rate"] or 1) * Fraction(row["column_rate"] or 1) * Fraction(row["row_rate"] or 1))


def _us(row: Dict[str, Any]) -> str:
    if "step_us" not in row:
        return ""
    low = row.get("step_us_low")
    return f"{row['step_us']:.4g}" + (f" ({low:.4g} - {row['step_us_high']:.4g})" if low is not None else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
