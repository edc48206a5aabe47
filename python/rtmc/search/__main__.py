"""The command line of sweep()."""
import argparse
import os
import sys
from typing import List, Optional

from ..build import CompileError
from . import functions
from .candidates import BLOCKED, PRECISIONS
from .errors import SearchError
from .sweep import AGAIN, sweep

_DESCRIPTION = """Block size against accuracy and time: prunes a model with every block at every rate, measures a metric and the time of a
step of each, and writes results.json, results.md and pareto.svg. Killed at any time, the same command goes on where it stopped.
docs/block_search.md explains the figures."""
_EPILOG = """Options of `rtmc prune` may follow --, as in `-- --layer 'gru*' --block 'gru0.weight_ih=32x39'`. $RTMC is the program rtmc,
$CXX the C++ compiler. Exit status: 0 done; 1 the options or the model are wrong; 2 some candidates failed, or the environment did;
130 interrupted."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(1, f"{self.prog}: error: {message}; --help lists the options\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rtmc.search", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL.yaml", help="a trained model, or its folder")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where models and results go")
    parser.add_argument("--blocks", metavar="RxC,...", required=True, help="rows x columns of a block: 16x64,32x128,64x256")
    parser.add_argument("--rates", metavar="R,...", required=True,
                        help="weights / kept weights: 10,29; for bsp and bcr also column rate x row rate: 16x1.25")
    parser.add_argument("--scheme", default="bsp", metavar="NAME", help=f"{', '.join(BLOCKED)} (default bsp)")
    parser.add_argument("--precisions", default="f32", metavar="P,...", help=f"of {', '.join(PRECISIONS)} (default f32)")
    parser.add_argument("--clip", action="store_true", help="cut blocks to gates that are smaller; without, such candidates fail")
    metric = parser.add_argument_group("the metric (default: the norm that pruning kept, which is no accuracy)")
    metric.add_argument("--evaluate", metavar="FILE.py[:FUNCTION]",
                        help="evaluate(folder) or evaluate(folder, precision) -> number or figures")
    metric.add_argument("--metric", metavar="NAME", help="what it measures; of several figures the one that counts")
    metric.add_argument("--lower-is-better", action="store_true", help="as for an error rate")
    metric.add_argument("--input", metavar="X.npy", help="in place of --evaluate: difference of outputs from the model's own")
    metric.add_argument("--train", metavar="FILE.py[:FUNCTION]",
                        help="train(candidate, folder) makes the pruned model, in place of rtmc prune")
    times = parser.add_argument_group("times")
    times.add_argument("--rounds", type=int, default=6, metavar="N", help="times that each candidate is timed, in turns (default 6)")
    times.add_argument("--threads", type=int, default=1, metavar="N", help="as of rtmc bench (default 1)")
    times.add_argument("--steps-per-call", type=int, metavar="N", help="as of rtmc bench (default 1)")
    times.add_argument("--quick", action="store_true", help="shorter measurements, which differ more")
    parser.add_argument("--again", choices=AGAIN, help="measure or make these anew, and what depends on them")
    parser.add_argument("-q", "--quiet", action="store_true", help="only errors")
    return parser


def main(words: Optional[List[str]] = None) -> int:
    words = sys.argv[1:] if words is None else words
    at = words.index("--") if "--" in words else len(words)
    parser = _parser()
    options = parser.parse_args(words[:at])
    say = (lambda text: None) if options.quiet else (lambda text: print(text, flush=True))
    try:
        found = sweep(options.model, options.output, blocks=options.blocks, rates=options.rates, scheme=options.scheme,
                      precisions=options.precisions, clip=options.clip, metric=options.metric, input=options.input,
                      evaluate=options.evaluate and functions.load(options.evaluate, "evaluate", "--evaluate"),
                      train=options.train and functions.load(options.train, "train", "--train"), lower_is_better=options.lower_is_better,
                      rounds=options.rounds, threads=options.threads, steps_per_call=options.steps_per_call, quick=options.quick,
                      again=options.again, prune_options=words[at + 1:], say=say)
    except SearchError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    except (CompileError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; the same command goes on", file=sys.stderr)
        return 130
    for row in found["rows"]:
        if row["pareto"]:
            say(f"on the front: {row['label']}, {row['precision']}: {found['metric']['name']} {row['metric']:.4g}, "
                f"{row['step_us']:.4g} us per step")
    files = [os.path.join(options.output, name) for name in found["files"]]
    say(f"wrote {', '.join(files)}")
    if found["no_picture"]:
        say(f"no picture: {found['no_picture']}")
    if found["failed"]:
        print(f"{parser.prog}: {found['failed']} of {len(found['rows'])} rows failed; {files[1]} says why", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
