"""What the paper published (RTMobile, DAC 2020, arXiv 2002.11474, Table II), from the reference network's own file of facts, and how
operations are counted."""
import json
import pathlib

REFERENCE = pathlib.Path(__file__).resolve().parents[4] / "examples" / "rtmobile_gru"
FACTS = json.loads((REFERENCE / "rtmobile.json").read_text(encoding="utf-8"))
ROWS = {row["rate"]: row for row in FACTS["rates"]}
RATES = tuple(ROWS)
NETWORK = FACTS["network"]
INPUTS, UNITS, LAYERS = NETWORK["inputs"], NETWORK["units"], NETWORK["layers"]
WEIGHTS = sum(3 * UNITS * (UNITS + (INPUTS if layer == 0 else UNITS)) for layer in range(LAYERS))

# A multiply-add is two operations. The paper gives 0.58 GOP for a frame of the dense network: that many steps of ours.
FRAME_STEPS = ROWS[1]["gop"] * 1e9 / (2 * WEIGHTS)


def speedup(rate: int, device: str) -> float:
    """Over the paper's own dense row; `device`: cpu or gpu."""
    return ROWS[1][f"{device}_us"] / ROWS[rate][f"{device}_us"]


def frame_gop(kept: int) -> float:
    return 2 * kept * FRAME_STEPS / 1e9


def gops(kept: int, step_us: float) -> float:
    """10^9 operations per second."""
    return 2 * kept / step_us / 1e3
