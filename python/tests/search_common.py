"""What the tests of rtmc.search share; no PyTorch."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from rtmc.search import SearchError, sweep  # noqa: E402


class SearchCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rtmc-search-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()

    def refuses(self, text, call, *arguments, **more):
        with self.assertRaises(SearchError) as raised:
            call(*arguments, **more)
        self.assertIn(text, str(raised.exception))

    def environment(self, **values):
        """Variables for this test alone; None: not set."""
        for name, value in values.items():
            old = os.environ.pop(name, None)
            self.addCleanup(os.environ.__setitem__, name, old) if old is not None else self.addCleanup(os.environ.pop, name, None)
            if value is not None:
                os.environ[name] = str(value)


class FakeCase(SearchCase):
    """With the program fake_rtmc, in a tree as that of a build."""

    def setUp(self):
        super().setUp()
        tree = self.folder / "tree"
        for name in ("bin", "runtime", "include/rtm"):
            (tree / name).mkdir(parents=True)
        (tree / "runtime/librtm.a").write_text("")
        (tree / "include/rtm/rtm.h").write_text("")
        self.program = tree / "bin/rtmc"
        self.program.write_text(f"#!{sys.executable} -IS\n" + (HERE / "fake_rtmc.py").read_text())
        self.program.chmod(0o755)
        self.log = self.folder / "calls"
        self.environment(RTMC=self.program, CXX=sys.executable, FAKE_LOG=self.log, FAKE_FAILS=None, FAKE_KILLS=None)
        self.model = self.folder / "model.yaml"
        self.model.write_text("a network")
        (self.folder / "weights.txt").write_text("weights")
        self.out = self.folder / "search"
        self.said = []

    def sweep(self, blocks=("4x4", "8x8"), rates=(2, 4), **options):
        options.setdefault("rounds", 2)
        self.said.clear()
        self.log.write_text("")
        return sweep(self.model, self.out, blocks=blocks, rates=rates, say=self.said.append, **options)

    def calls(self, command):
        """Of the last sweep, without those that look at models."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [words for words in lines if words[0] == command and "unstructured" not in words]

    def timed(self):
        return [pathlib.Path(words[1]).parent.name for words in self.calls("bench")]

    def told(self, text):
        self.assertTrue(any(text in line for line in self.said), self.said)

    def command(self, *words, **environment):
        return subprocess.run([sys.executable, "-B", "-m", "rtmc.search", str(self.model), "-o", str(self.out), *words],
                              capture_output=True, text=True, timeout=300, cwd=self.folder,
                              env={**os.environ, "PYTHONPATH": str(HERE.parent), **environment})


def row_of(found, id, precision="f32"):
    return next(row for row in found["rows"] if (row["id"], row["precision"]) == (id, precision))


@contextlib.contextmanager
def without(module):
    """As if it were not installed."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name == module or name.startswith(module + ".")}
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "rtmc.search.picture"}
    sys.modules[module] = None
    package = sys.modules["rtmc.search"]
    if hasattr(package, "picture"):
        del package.picture
    try:
        yield
    finally:
        del sys.modules[module]
        sys.modules.update({**hidden, **own})


def copy_of(found):
    """Without what differs between two runs of the same."""
    return {**found, "runs": [], "files": [], "load": 0, "rows": [{**row, "traceback": ""} for row in found["rows"]]}


__all__ = ["FakeCase", "HERE", "SearchCase", "SearchError", "copy_of", "row_of", "shutil", "sweep", "unittest", "without"]
