"""The report's prose: how it was measured, and what the columns mean."""
from . import paper
from .statistics import BUSY, CONFIDENCE, LIMIT


def _paragraph(text: str) -> str:
    return " ".join(text.split())


TITLE = "What pruning and rtmc buy on this machine"

HOW = _paragraph(f"""Competitors are timed in turns (A B C, A B C, ...), each in a process of its own, warm, with inputs that change
from call to call, and only after their results agreed with a reference: a mismatch is a row with an error, never a time. `min` is the
smallest time of any round, `median` the median of the rounds' medians. A ratio is the median over the rounds of (smallest time
of the one / smallest time of the other); behind it stands the {100 * CONFIDENCE:.0f} % interval, by bootstrap over the rounds.
A ratio whose rounds differ by more than {100 * LIMIT:.0f} % is not printed, nor one of a program that waited for a processor for
more than {100 * BUSY:.0f} % of its time.""")

NETWORK = _paragraph(f"""Two GRU layers of {paper.UNITS} units over {paper.INPUTS} features, state reset before the product,
{paper.WEIGHTS:,} weights, BSP masks (`examples/rtmobile_gru`).""")

DEFINITIONS = [_paragraph(text) for text in (
    """**Kept 1 in** n: weights before pruning / kept weights.""",
    f"""**GOP**: two operations per kept weight and step, times the {paper.FRAME_STEPS:.1f} steps that make the paper's frame (0.58 GOP
    for the dense network), so that the column compares with its Table II. **GOP/s**: 2 x kept weights / time of a step.""",
    """**Sparsity efficiency**: the smaller of the two speed-ups (over our own dense code of the same precision, over the fastest dense
    peer where there is one) x density; 1 means that every removed weight paid.""",
    """**KiB**: packed values and indices. **GB/s**: those over the time of a step.""",
    """**Roofline share**: floor / time. The floor is the larger of (kept weights x element size / read bandwidth at that footprint)
    and (kept weights / multiply-adds that the ports issue), plus the gates that are left, all measured on this machine; padding,
    indices and conversions never raise it.""",
    """**Paper**: its own speed-ups over its own dense row on a Snapdragon 855 (RTMobile, DAC 2020, arXiv 2002.11474, Table II):
    another machine, so compare the shape only.""")]

DENSE = _paragraph("""The same network without pruning. `reset after` is another form of the GRU with as many weights, for libraries
that have only it, or are faster with it.""")

SPARSE = "Ours is a whole step with its gates, one step a call; theirs are the products of one step and nothing else."

ABLATION = _paragraph("""Each is switched off alone, with an option of the compiler; one thread, 50 steps a call, in turns with the
full compiler. Loads: of inputs, per step.""")

SCALING = _paragraph("""Against the best code for one thread, which shares readings among the steps of a call; code for several does not.
`x one thread` in the tables of the reference network is the same code on one. 50 steps a call.""")

LIMITS = _paragraph("""Measured in the same run by `rtmc machine`; the floors above stand on the same measurements, taken beside each
kernel.""")

SMALL = "One frame a call, f32, one thread. The networks' weights are those of the models named, where they could be read."

LYRA = _paragraph("""Three matrices of Lyra's WaveGRU, pruned by its authors in blocks, each as a linear layer; one thread, 50 steps a
call. `gru_layer` has 64x64 blocks on the diagonals of its gates, the other two have 4x4 blocks.""")

CAPTIONS = {
    "speedups": "Speed-up against compression rate (the paper's Figure 4), {where}. Upright strokes are intervals, where larger than a "
                "marker.",
    "roofline": "Each measured kernel under what one core of this machine reads and multiplies, {steps}; whole steps, so gates count "
                "against it. Weights that the steps of one call share are read once for all of them, and counted for each.",
    "phases": "Where the time of a step goes, {where}.",
    "spy": "One matrix at {rate} before and after reorder, its stripes and the threads' shares. For any model: "
           "`rtmc inspect MODEL.yaml --html FILE`."}
