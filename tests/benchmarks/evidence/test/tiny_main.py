"""main.py on networks of three inputs and four units, which take no time to make; everything else is the real program."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import main  # noqa: E402
from harness import lyra, networks, turns  # noqa: E402


def make(self, name, rate, block):
    folder = self.work / name
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text("rtm: 1\n")
    networks.write_inputs(folder, 3)
    return networks.Network(folder, 3, 4, 1000, 1000 // rate)


def make_lyra(work, name):
    (work / name).mkdir(parents=True)
    (work / name / "model.yaml").write_text("rtm: 1\n")
    networks.write_inputs(work / name, 3)
    return networks.Network(work / name, 3, 4, 1000, 80, for_peers=False)


networks.Networks._make = make
lyra.make, lyra.missing = make_lyra, lambda: ""
turns.delays = lambda pid: {}  # tests may run on a busy machine
sys.exit(main.main(sys.argv[1:]))
