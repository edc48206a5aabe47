"""Networks and an input that the tests share."""
import numpy

from . import network as networks

STEPS = 7


def small(op="gru", reset="before", layers=2, inputs=5, units=19, outputs=0, kept=0.4, seed=1):
    """Sizes that no block or vector divides; blocks of zeros, empty rows."""
    random = numpy.random.default_rng(seed)
    gates, arrays, width = networks.GATES[op], {"op": op, "reset": reset, "layers": layers}, inputs
    for k in range(layers):
        for role, columns in (("ih", width), ("hh", units)):
            weights = random.standard_normal((gates * units, columns)) / numpy.sqrt(columns)
            mask = numpy.kron(random.random((-(-len(weights) // 4), -(-columns // 4))) < kept, numpy.ones((4, 4)))
            weights *= mask[:len(weights), :columns]
            weights[random.random(len(weights)) < 0.1] = 0
            arrays[f"weight_{role}{k}"] = weights.astype(numpy.float32)
            arrays[f"bias_{role}{k}"] = (0.3 * random.standard_normal(gates * units)).astype(numpy.float32)
        width = units
    if outputs:
        arrays |= {"linear_weight": random.standard_normal((outputs, units)).astype(numpy.float32), "linear_activation": "sigmoid",
                   "linear_bias": random.standard_normal(outputs).astype(numpy.float32)}
    return networks.from_arrays(arrays)


CASES = {"before": small(), "after": small(reset="after", layers=1), "lstm": small("lstm", outputs=6)}
X = numpy.random.default_rng(2).standard_normal((STEPS, 5)).astype(numpy.float32)
