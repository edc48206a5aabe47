"""rtmc inspect --html: one page that any browser shows, the same bytes every time, with the numbers of --json."""
import html.parser
import os
import random
import re
import resource
import xml.etree.ElementTree as ElementTree

from harness import Case, ENVIRONMENT, OK, SOURCE_DIR, Tensor, USER, gru_weights, main, random_vector, read, safetensors
from models import CAUSAL, WHOLE_SEQUENCES, inputs_of, write_network

HOST = ["--target", "x86_64-linux-gnu", "--cpu", "x86-64-v3"]


class Strict(html.parser.HTMLParser):
    """Complains about what a browser would have to repair."""
    VOID = {"meta"}

    def __init__(self):
        super().__init__()
        self.open, self.names = [], set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in <{tag}>"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def cells_of(path_data):
    """The unit cells that a path of our rectangles covers."""
    x = y = 0
    for dx, dy, width, height, back in re.findall(r"m(-?\d+) ?(-?\d+)h(\d+)v(\d+)h-(\d+)z", path_data):
        x, y = x + int(dx), y + int(dy)
        assert width == back
        yield from ((row, column) for row in range(y, y + int(height)) for column in range(x, x + int(width)))


class Page:
    def __init__(self, path):
        self.text = read(path)
        strict = Strict()
        strict.feed(self.text)
        strict.close()
        assert not strict.open, strict.open
        self.tags = strict.names
        self.root = ElementTree.fromstring(self.text)
        self.sections = {section.find("h3").text: section for section in self.root.iter("section")}

    def table(self, name):
        """Rows of a table, as dictionaries by title."""
        table = self.root.find(f".//table[@id='{name}']")
        titles = [cell.text for cell in table.iter("th")]
        return [dict(zip(titles, ["".join(cell.itertext()) for cell in row.iter("td")])) for row in table.find("tbody")]

    def facts(self):
        return {row["what"]: row["value"] for row in self.table("facts")}

    def figures(self, name):
        """{'As written': svg element, 'As it runs': svg element} of a matrix."""
        figures = self.sections[name].findall("figure")
        return {"".join(f.find("figcaption").itertext()).split(":")[0]: f.find("svg") for f in figures}

    def cells(self, name, which):
        taken = [cell for path in self.figures(name)[which].findall("./svg/path") for cell in cells_of(path.get("d"))]
        assert len(taken) == len(set(taken)), "a cell is painted twice"
        return set(taken)

    def caption(self, name, which):
        return next(text for text in ("".join(c.itertext()) for c in self.sections[name].iter("figcaption")) if text.startswith(which))


class InspectHtml(Case):
    def page(self, model, *options, name="page.html"):
        path = self.path(name)
        report = self.expect(OK, "inspect", model, "--html", path, "--json", *HOST, *options).json()
        self.assertEqual(report["outputs"], [path])
        return Page(path), report

    def check_numbers(self, page, report):
        facts = page.facts()
        for title, key in (("target", "target"), ("processor", "cpu"), ("weights stored as", "precision"),
                           ("kept weights in the code", "nonzeros"), ("bytes of values", "weight_bytes"),
                           ("bytes of indices", "index_bytes"), ("bytes as CSR", "csr_bytes"),
                           ("loads of inputs before", "loads_before"), ("loads of inputs after", "loads_after")):
            self.assertEqual(facts[title], str(report[key]), title)
        self.assertEqual(facts["threads asked / used"], f"{report['threads_asked']} / {report['threads_used']}")
        self.assertEqual(facts["machine description"], f"{report['machine']} ({report['machine_source']})")
        self.assertEqual(facts["predicted ns per step"], f"{report['predicted_step_ns']:.1f}")
        for title in ("constant gate rows", "constant gates", "dropped units", "dropped weights"):
            self.assertEqual(facts[title], str(report["folded"][title.replace(" ", "_")]), title)
        *rows, total = page.table("matrices")
        self.assertEqual([row["matrix"] for row in rows], [m["name"] for m in report["matrices"]])
        for row, matrix in zip(rows, report["matrices"]):
            for title, key in (("rows", "rows"), ("columns", "columns"), ("kept", "nonzeros"), ("format", "format"),
                               ("lanes", "lanes"), ("groups", "groups"), ("tiles", "tiles"), ("loads before", "loads_before"),
                               ("loads after", "loads_after"), ("CSR bytes", "csr_bytes"), ("value bytes", "weight_bytes"),
                               ("index bytes", "index_bytes")):
                self.assertEqual(row[title], str(matrix[key]), (matrix["name"], title))
            self.assertEqual(row["scheme"].split()[0], matrix["scheme"])
            self.assertEqual(row["density"], f"{100 * matrix['density']:.2f} %")
            self.assertEqual(row["predicted ns"], f"{matrix['predicted_ns']:.1f}")
        self.assertEqual(total["value bytes"], str(report["weight_bytes"]))
        phases = page.table("phases")
        self.assertEqual([(p["phase"], p["section"]) for p in phases], [(p["name"], p["section"]) for p in report["phases"]])
        for row, phase in zip(phases, report["phases"]):
            self.assertEqual(row["predicted ns per share"].split(), [f"{ns:.1f}" for ns in phase["share_ns"]])
            self.assertEqual(row["balance"], f"{phase['balance']:.3f}")

    def check_plots(self, page, report):
        """Every matrix in the code has both plots, and both show as many weights as there are."""
        for matrix in report["matrices"]:
            name = matrix["name"]
            self.assertEqual(list(page.figures(name)), ["As written", "As it runs"])
            written, running = page.cells(name, "As written"), page.cells(name, "As it runs")
            if " A cell " in page.caption(name, "As written"):
                continue
            self.assertIn(f" {len(written)} weight", page.caption(name, "As written"))
            self.assertLessEqual(matrix["nonzeros"], len(written))
            # Every row of the code is there once, and explicit zeros are drawn too.
            self.assertGreaterEqual(len(running), matrix["nonzeros"])
            rows = int(re.search(r"runs: (\d+) of", page.caption(name, "As it runs"))[1])
            self.assertEqual({row for row, _ in running}, set(range(rows)))

    def test_every_kind_of_network(self):
        for name, layers in {**CAUSAL, **WHOLE_SEQUENCES}.items():
            model = write_network(self, name, inputs_of(name), layers)
            for options in ([], ["--precision", "bf16", "--threads", "3"]):
                page, report = self.page(model, *options)
                self.check_numbers(page, report)
                self.check_plots(page, report)
                for name_of_matrix in (m["name"] for m in report["matrices"]):
                    self.assertIn(name_of_matrix, page.sections)
                self.assertFalse(page.tags & {"script", "link", "img", "iframe", "object", "base"}, page.tags)
                self.assertNotRegex(page.text, r"https?:|src=|@import|url\((?!#)")

    def test_every_structure(self):
        def structure(rows, columns, kept):
            rng = random.Random(3)
            return Tensor([rows, columns], [rng.gauss(0, 1) if kept(r, c) else 0 for r in range(rows) for c in range(columns)])

        rng = random.Random(4)
        stripes = {(r // 16, c): rng.random() < 0.3 for r in range(96) for c in range(48)}
        crosses = {(r // 8, c // 8): (rng.sample(range(8), 4), rng.sample(range(8), 4)) for r in range(96) for c in range(48)}
        blocks = {(r // 4, c // 4): rng.random() < 0.2 for r in range(96) for c in range(48)}
        noise = {(r, c): rng.random() < 0.1 for r in range(96) for c in range(48)}
        for scheme, kept in (
                ("dense", lambda r, c: True), ("one", lambda r, c: (r, c) == (7, 9)), ("row", lambda r, c: r % 3 == 0),
                ("bsp", lambda r, c: stripes[r // 16, c]), ("block", lambda r, c: blocks[r // 4, c // 4]),
                ("csb", lambda r, c: r % 8 in crosses[r // 8, c // 8][0] and c % 8 in crosses[r // 8, c // 8][1]),
                ("unstructured", lambda r, c: noise[r, c])):
            self.write("w.safetensors", safetensors({"y.weight": structure(96, 48, kept), "y.bias": random_vector(rng, 96)}))
            model = self.write("w.yaml", "rtm: 1\nname: w\nweights: w.safetensors\ninputs: [{name: x, size: 48}]\n"
                                         "layers: [{name: y, op: linear, size: 96}]\noutputs: [y]\n")
            for options in ([], ["--threads", "4", "--precision", "f16"], ["--no-reorder", "--no-share-loads"]):
                page, report = self.page(model, *options)
                self.check_numbers(page, report)
                self.check_plots(page, report)
                expected = {(r, c) for r in range(96) for c in range(48) if kept(r, c)}
                self.assertEqual(page.cells("y.weight.y", "As written"), expected, scheme)

    def test_what_was_folded_away(self):
        weights = gru_weights(24, 6, 0.3, 1, 5)
        wi, wh = weights["gru0.weight_ih"], weights["gru0.weight_hh"]
        wi.values[:24 * 6] = [0.0] * (24 * 6)  # the reset gate is a constant
        wh.values[:24 * 24] = [0.0] * (24 * 24)
        self.write("net.safetensors", safetensors(weights))
        model = self.gru(name="whole").replace("whole.yaml", "net.yaml")
        self.write("net.yaml", read(self.path("whole.yaml")).replace("whole", "net"))
        page, report = self.page(model)
        self.assertEqual(report["folded"]["constant_gates"], 1)
        self.check_numbers(page, report)
        self.assertIn("no weight is kept", "".join(page.sections["gru0.weight_hh.r"].itertext()))
        self.assertEqual(page.figures("gru0.weight_hh.r"), {})

        # Units that read only themselves: the linear layer needs four of them, the others go, and what they were is shown.
        weights = gru_weights(24, 6, 0.3, 1, 5)
        for row in range(3 * 24):
            for column in range(24):
                alone = row % 24 == column and not 24 <= row < 28
                weights["gru0.weight_hh"].values[row * 24 + column] = 1.0 if alone else 0.0
        for at in range(5 * 24):
            weights["y.weight"].values[at] = 1.0 if at % 24 < 4 else 0.0
        self.write("net.safetensors", safetensors(weights))
        page, report = self.page(model)
        self.check_numbers(page, report)
        self.assertEqual(report["folded"]["dropped_units"], 20)
        self.assertIn("nothing that an output needs", "".join(page.sections["gru0.weight_hh.z"].itertext()))
        self.assertEqual(list(page.figures("gru0.weight_hh.z")), ["As written"])
        self.assertEqual(page.cells("gru0.weight_hh.z", "As written"), {(unit, unit) for unit in range(4, 24)})
        self.assertEqual(page.cells("gru0.weight_hh.n", "As written"), {(unit, unit) for unit in range(24)})
        self.assertLessEqual({(unit, unit) for unit in range(4)}, page.cells("gru0.weight_hh.n", "As it runs"))
        self.assertIn("4 of 4 rows have weights, 4 columns", page.caption("gru0.weight_hh.n", "As it runs"))
        self.assertIn("for 4 kept weights", page.caption("gru0.weight_hh.n", "As it runs"))

    def test_one_weight(self):
        tensors = {"y.weight": Tensor([1, 1], [2.0]), "y.bias": Tensor([1], [0.5])}
        self.write("one.safetensors", safetensors(tensors))
        model = self.write("one.yaml", "rtm: 1\nname: one\nweights: one.safetensors\ninputs: [{name: x, size: 1}]\n"
                                       "layers: [{name: y, op: linear, size: 1}]\noutputs: [y]\n")
        for threads in (1, 8):
            page, report = self.page(model, "--threads", threads)
            self.check_numbers(page, report)
            self.assertEqual(page.cells("y.weight.y", "As it runs"), {(0, 0)})

    def test_same_bytes(self):
        model = self.gru(size=40)
        first, _ = self.page(model, "--threads", "2")
        os.mkdir(self.path("elsewhere"))
        for name in ("net.yaml", "net.safetensors"):
            os.rename(self.path(name), self.path("elsewhere", name))
        self.expect(OK, "inspect", "net.yaml", "--html", "other.html", "--threads", "2", *HOST, cwd=self.path("elsewhere"))
        self.assertEqual(read(self.path("elsewhere", "other.html")), first.text)
        self.assertNotIn(self.dir, first.text)
        second, _ = self.page(self.path("elsewhere", "net.yaml"), "--threads", "2", "--precision", "f16")
        self.assertNotEqual(second.text, first.text)

    def test_kernel_ir_shows_the_same_patterns(self):
        # From packed bytes alone, through the units' orders, back to what the user wrote.
        layers = {"sparse": [dict(name="a", op="lstm", size=64), dict(name="b", op="rnn", size=50, activation="tanh")],
                  "joined": CAUSAL["joined"], "both": WHOLE_SEQUENCES["both"]}
        constant = compared = 0
        for name, of_network in layers.items():
            model = write_network(self, name, inputs_of(name), of_network, keep=0.03 if name == "sparse" else 0.4)
            page, report = self.page(model, "--threads", "2")
            self.expect(OK, "dump", model, "-o", self.path("ir.yaml"), "--threads", "2", *HOST)
            again, _ = self.page(self.path("ir.yaml"), "--threads", "2", name="ir.html")
            constant += report["folded"]["constant_gate_rows"]
            for matrix in (m["name"] for m in report["matrices"]):
                self.assertEqual(again.cells(matrix, "As it runs"), page.cells(matrix, "As it runs"), matrix)
                written, expanded = page.cells(matrix, "As written"), again.cells(matrix, "As written")
                self.assertLessEqual(expanded, written, matrix)
                if report["folded"]["dropped_weights"] == 0:
                    self.assertEqual(expanded, written, matrix)
                    compared += 1
        self.assertGreater(constant, 0)
        self.assertGreater(compared, 10)

    def test_names_cannot_become_markup(self):
        described = read(os.path.join(SOURCE_DIR, "compiler", "passes", "machines", "generic-x86-64.yaml"))
        evil = "'</h1><script>alert(1)</script>&\"'"
        machine = self.write("machine.yaml", re.sub(r"(?m)^name: .*$", f"name: {evil}", described))
        page, report = self.page(self.gru(), "--machine", machine)
        self.assertEqual(report["machine"], evil[1:-1])
        self.check_numbers(page, report)
        self.assertNotIn("script", page.tags)

    def test_a_large_network_is_a_small_file(self):
        rng = random.Random(5)
        size = 512
        tensors = {}
        for layer in "ab":
            for tensor in ("weight_ih", "weight_hh"):
                values = [rng.random() if rng.random() < 0.1 else 0.0 for _ in range(3 * size * size)]
                tensors[f"{layer}.{tensor}"] = Tensor([3 * size, size], values)
        self.write("big.safetensors", safetensors(tensors))
        model = self.write("big.yaml", f"rtm: 1\nname: big\nweights: big.safetensors\ninputs: [{{name: x, size: {size}}}]\nlayers:\n"
                                       f"  - {{name: a, op: gru, size: {size}, reset: after}}\n  - {{name: b, op: gru, size: {size}, reset: after}}\noutputs: [b]\n")
        page, report = self.page(model, "--threads", "2")  # noise: nothing merges
        self.check_numbers(page, report)
        self.assertLess(len(page.text), 3 << 20)

    def test_output_that_cannot_be(self):
        model = self.gru()
        for path in ("/proc/none/page.html", self.path("none", "page.html")):
            result = self.expect(ENVIRONMENT, "inspect", model, "--html", path, "--json")
            self.assertEqual(result.out, "")
            self.assertIn("page.html", result.err)
        os.mkdir(self.path("folder.html"))
        self.expect(ENVIRONMENT, "inspect", model, "--html", self.path("folder.html"))
        weights = read(self.path("net.safetensors"), "rb")
        self.assertIn("would replace an input", self.expect(USER, "inspect", model, "--html", self.path("net.safetensors")).err)
        self.assertEqual(read(self.path("net.safetensors"), "rb"), weights)
        self.assertIn("is empty", self.expect(USER, "inspect", model, "--html", "").err)
        self.assertIn("does not belong", self.expect(USER, "verify", model, "--html", self.path("page.html")).err)
        self.write("old.html", "old")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        self.expect(ENVIRONMENT, "inspect", model, "--html", self.path("old.html"), preexec_fn=limit)
        self.assertEqual(read(self.path("old.html")), "old")
        self.assertEqual(sorted(os.listdir(self.dir)), ["folder.html", "net.safetensors", "net.yaml", "old.html"])
        self.assertEqual(os.listdir(self.path("folder.html")), [])

    def test_text_stays_the_result(self):
        model = self.gru()
        plain = self.expect(OK, "inspect", model, *HOST)
        with_page = self.expect(OK, "inspect", model, "--html", self.path("page.html"), *HOST)
        self.assertEqual(with_page.out, plain.out)
        self.assertNotIn("outputs", self.expect(OK, "inspect", model, "--json", *HOST).json())


if __name__ == "__main__":
    main()
