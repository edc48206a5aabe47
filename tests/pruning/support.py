"""What the tests of projections share: numpy or a skip, random matrices that provoke ties and edges, configurations."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))

try:
    import numpy
except ModuleNotFoundError:
    # The first python3 on PATH may be another one than the distribution's, which has numpy.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3") and "PRUNING_SECOND_TRY" not in os.environ:
        os.environ["PRUNING_SECOND_TRY"] = "1"
        os.execv("/usr/bin/python3", ["/usr/bin/python3", "-B", *sys.argv])
    print("skipped: no numpy (scripts/setup.sh installs python3-numpy)")
    sys.exit(77)

from rtmc.pruning.projections import Projection  # noqa: E402

SHAPES = [(1, 1), (1, 7), (7, 1), (2, 2), (3, 5), (8, 8), (9, 12), (16, 10), (31, 17), (40, 64)]
RATES = ["1", "2", "2.5", "3", "10", "29/10", "1000"]


def random_matrix(random, shape):
    """Few different magnitudes, zeros, whole zero rows, tiny and huge values, or just normal ones."""
    kind = random.integers(6)
    if kind == 0:
        matrix = random.integers(-2, 3, shape)
    elif kind == 1:
        matrix = numpy.ones(shape)
    elif kind == 2:
        matrix = random.standard_normal(shape) * (random.random(shape) < 0.3)
    elif kind == 3:
        matrix = random.standard_normal(shape) * (random.random((shape[0], 1)) < 0.5) * (random.random((1, shape[1])) < 0.5)
    elif kind == 4:
        matrix = random.standard_normal(shape) * 10.0 ** random.integers(-30, 15, shape)
    else:
        matrix = random.standard_normal(shape)
    return matrix.astype(numpy.float32)


def random_block(random, shape):
    return (int(random.integers(1, shape[0] + 1)), int(random.integers(1, shape[1] + 1)))


def random_config(random, scheme, shape):
    def rate():
        return RATES[random.integers(len(RATES))]

    block = random_block(random, shape) if scheme in ("bsp", "bcr", "csb", "block") else None
    if scheme == "bank":
        block = (1, random_block(random, shape)[1])
    if scheme in ("bsp", "bcr", "row_column"):
        form = random.integers(5)
        if form == 1:
            return Projection(scheme, block=block, column_rate=rate(), row_rate=rate())
        if form == 2:
            return Projection(scheme, block=block, row_rate=rate())
        if form == 3:
            return Projection(scheme, "1000", block, column_rate=rate())
        if form == 4:
            return Projection(scheme, "1000", block, row_rate=rate())
    bounded = ["1", "1.2", "2.5"][random.integers(3)] if scheme == "csb" and random.random() < 0.4 else None
    return Projection(scheme, rate(), block, bounded=bounded)
