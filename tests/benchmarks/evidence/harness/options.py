"""The command line. Imports nothing that has to be installed, so that a mistake is told before anything is built."""
import argparse
import pathlib
import sys

from . import paper, plan

DESCRIPTION = """What pruning plus rtmc buys on this machine: measures, and writes report.html, results.md and results.json.
Killed at any time, the same command goes on where it stopped."""
EPILOG = """Exit status: 0 done (what could not be measured here stands in the report); 1 the options are wrong; 2 some cells could not be
measured; 130 interrupted."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(1, f"{self.prog}: error: {message}; --help lists the options\n")


def parse(words: list[str], peers: pathlib.Path) -> argparse.Namespace:
    parser = Parser(prog="bench.sh", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="fewer rates, precisions and rounds: under 3 minutes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"), metavar="FOLDER",
                        help="where the results go (default build/bench)")
    parser.add_argument("--rates", help=f"of the paper's {', '.join(map(str, paper.RATES))}; separated by commas")
    parser.add_argument("--only", metavar="PART", help=f"some of {', '.join(plan.PARTS)}, separated by commas; report: measure nothing")
    parser.add_argument("--torch", action="store_true", help="install PyTorch too (it is used anyway where it is installed)")
    parser.add_argument("--rtmc", type=pathlib.Path, default=pathlib.Path("build/release/bin/rtmc"), help=argparse.SUPPRESS)
    parser.add_argument("--environment", type=pathlib.Path, help=argparse.SUPPRESS)  # what environment.py wrote
    parser.add_argument("--peers", type=pathlib.Path, default=peers, help=argparse.SUPPRESS)  # another folder of peers, for tests
    parser.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    try:
        arguments.rates, arguments.only = rates_of(arguments.rates), parts_of(arguments.only)
    except ValueError as problem:
        parser.error(str(problem))
    if arguments.out.exists() and not arguments.out.is_dir():
        parser.error(f"--out: '{arguments.out}' is no folder")
    if arguments.check_options:
        sys.exit(0)
    return arguments


def rates_of(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word.strip().removesuffix("x") for word in text.split(",")]
    wrong = [word for word in words if not word.isdecimal() or int(word) not in paper.RATES]
    if wrong:
        raise ValueError(f"--rates: '{wrong[0]}' is none of {', '.join(map(str, paper.RATES))}")
    return tuple(sorted({int(word) for word in words}))


def parts_of(text: str | None) -> tuple[str, ...]:
    if text is None:
        return plan.PARTS
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in (*plan.PARTS, "report"):
            raise ValueError(f"--only: there is no part '{word}'; known: {', '.join(plan.PARTS)}, report")
    return tuple(part for part in plan.PARTS if part in words)


def shown(arguments: argparse.Namespace) -> str:
    """The command, with the options that matter for what was measured."""
    return " ".join(["scripts/bench.sh"] + ["--quick"] * arguments.quick
                    + ([f"--rates {','.join(map(str, arguments.rates))}"] if arguments.rates else []))
