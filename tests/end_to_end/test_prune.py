"""rtmc prune: from dense weights to a pruned model that compiles. Masks are compared with numpy's in tests/pruning."""
import array
import json
import math
import os
import resource
import struct
import subprocess

from harness import (Case, ENVIRONMENT, OK, RTMC, SANITIZED, USER, Tensor, gru_weights, main, read, safetensors)
from models import CAUSAL, WHOLE_SEQUENCES, inputs_of, write_network

import random

SCHEMES = {
    "unstructured": ["--rate", "4"],
    "row": ["--rate", "3"],
    "column": ["--rate", "2"],
    "row_column": ["--rate", "4"],
    "bsp": ["--rate", "6", "--column-rate", "2", "--block", "8x3"],
    "bcr": ["--rate", "4", "--block", "12x3"],
    "csb": ["--rate", "4", "--block", "6x3"],
    "bank": ["--rate", "3", "--block", "1x6"],
    "block": ["--rate", "4", "--block", "5x2"],
}
PROMISED = {"row": "row", "column": "column", "row_column": "bsp", "bsp": "bsp", "bcr": "bcr", "csb": "csb", "block": "block"}


def read_safetensors(path):
    """name -> (dtype, shape, bytes)."""
    content = read(path, "rb")
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def floats(tensor):
    assert tensor[0] == "F32"
    return list(array.array("f", tensor[2]))


class Prune(Case):
    def prune(self, model, *options, output="pruned/model.yaml", status=OK):
        return self.expect(status, "prune", model, "-o", self.path(output), *options)

    def dense(self, **more):
        return self.gru(keep=1.0, **more)

    def test_every_scheme_gives_a_model_that_compiles_and_keeps_its_promise(self):
        model = self.dense()
        before = read_safetensors(self.path("net.safetensors"))
        for scheme, options in SCHEMES.items():
            with self.subTest(scheme):
                output = f"{scheme}/model.yaml"
                report = self.prune(model, "--scheme", scheme, *options, "--json", output=output).json()
                self.assertEqual(report["outputs"], [self.path(output), self.path(scheme, "model.safetensors")])
                self.assertEqual(report["inputs"], [model, self.path("net.safetensors")])
                after = read_safetensors(self.path(scheme, "model.safetensors"))
                self.check_weights(before, after, report)
                text = read(self.path(output))
                self.assertEqual("sparsity" in text, scheme in PROMISED)
                self.assertTrue(all(m["promised"] == (scheme in PROMISED) for m in report["matrices"]))
                self.expect(OK, self.path(output), "-o", self.path(f"{scheme}.cpp"))
                if scheme in PROMISED:
                    self.assertIn(f"scheme: {PROMISED[scheme]}", text)
                    found = self.expect(OK, "inspect", self.path(output), "--json", "--no-fold").json()["matrices"]
                    schemes = {m["scheme"] for m in found if m["name"].startswith("gru0")}
                    self.assertEqual(schemes, {PROMISED[scheme]})

    def check_weights(self, before, after, report):
        """Kept weights are the old ones, all others zero, the report adds up, and nothing else has changed."""
        masked = {name for name in after if name.endswith("_mask")}
        self.assertEqual(masked, {"gru0.weight_ih_mask", "gru0.weight_hh_mask"})
        self.assertEqual(set(after) - masked, set(before))
        squares = kept_squares = kept = 0
        for name in set(before):
            if name + "_mask" not in after:
                self.assertEqual(before[name], after[name])
                continue
            dtype, shape, mask = after[name + "_mask"]
            self.assertEqual((dtype, shape), ("BOOL", before[name][1]))
            self.assertLessEqual(set(mask), {0, 1})
            old, new = floats(before[name]), floats(after[name])
            self.assertEqual(new, [v if m else 0.0 for v, m in zip(old, mask)])
            one = next(m for m in report["matrices"] if m["name"] == name)
            self.assertEqual((one["weights"], one["kept"]), (len(mask), sum(mask)))
            self.assertAlmostEqual(one["rate"], len(mask) / sum(mask))
            squares += math.fsum(v * v for v in old)
            kept_squares += math.fsum(v * v for v in new)
            kept += sum(mask)
        self.assertEqual(report["kept"], kept)
        self.assertAlmostEqual(report["norm_share"], math.sqrt(kept_squares / squares), places=9)
        dense = sum(len(t[2]) // 4 for name, t in before.items() if name == "y.weight")
        self.assertEqual(report["network_weights"], report["weights"] + dense)

    def test_a_pruned_model_computes_what_its_masked_weights_say(self):
        model = self.dense(size=16)
        self.prune(model, "--scheme", "bsp", "--block", "4x3", "--rate", "3")
        result = self.expect(OK, "verify", self.path("pruned/model.yaml"), "--json").json()
        self.assertTrue(result["ok"])

    def test_pruning_twice_changes_nothing(self):
        model = self.dense()
        for scheme, options in SCHEMES.items():
            if scheme == "row_column":
                continue  # a cross search may stop in another cross of the same zeros
            once, twice = f"{scheme}1/model.yaml", f"{scheme}2/model.yaml"
            self.prune(model, "--scheme", scheme, *options, output=once)
            self.prune(self.path(once), "--scheme", scheme, *options, output=twice)
            for suffix in (".yaml", ".safetensors"):
                self.assertEqual(read(self.path(f"{scheme}1/model{suffix}"), "rb"),
                                 read(self.path(f"{scheme}2/model{suffix}"), "rb"), scheme)

    def test_a_pruned_weight_stays_pruned(self):
        weights = gru_weights(24, 6, 1.0, 1, 5)
        mask = Tensor([72, 24], [i % 3 > 0 for i in range(72 * 24)])
        weights["gru0.weight_hh_mask"] = mask
        weights["gru0.weight_ih"].values[::2] = [0.0] * (72 * 6 // 2)
        model = self.gru()
        self.write("net.safetensors", safetensors(weights))
        result = self.prune(model, "--scheme", "row", "--rate", "2", "--json")
        self.assertIn("[promise-left-out]", result.err)
        self.assertFalse(any(m["promised"] for m in result.json()["matrices"]))
        after = read_safetensors(self.path("pruned/model.safetensors"))
        for name, old in (("gru0.weight_hh", mask.values), ("gru0.weight_ih", weights["gru0.weight_ih"].values)):
            new = after[name + "_mask"][2]
            self.assertTrue(any(new))
            self.assertTrue(all(b or not n for n, b in zip(new, old)))
        self.expect(OK, self.path("pruned/model.yaml"), "-o", self.path("k.cpp"))

    def test_the_written_model_is_the_same_network(self):
        """At rate 1 nothing is pruned: whatever the layers are, both files must be one network."""
        for name, layers in {**CAUSAL, **WHOLE_SEQUENCES}.items():
            with self.subTest(name):
                ranges = {"x": "[-1.5, 2]"} if name == "gru_before" else None
                model = write_network(self, name, inputs_of(name), layers, ranges=ranges)
                self.prune(model, "--scheme", "unstructured", "--rate", "1", "--linear", output=f"{name}.out/{name}.yaml")
                texts = []
                for path in (model, self.path(f"{name}.out", f"{name}.yaml")):
                    folder = self.path("dump", str(len(texts)))
                    os.makedirs(folder, exist_ok=True)
                    self.expect(OK, "dump", path, "--emit", "network", "-o", os.path.join(folder, "ir.yaml"))
                    texts.append((read(os.path.join(folder, "ir.yaml")),
                                  sorted(read_safetensors(os.path.join(folder, "ir.safetensors")).items())
                                  if os.path.exists(os.path.join(folder, "ir.safetensors")) else None))
                self.assertEqual(texts[0], texts[1])

    def test_the_number_format_of_the_file_stays(self):
        for dtype, code in (("F16", "e"), ("BF16", None)):
            weights = gru_weights(24, 6, 1.0, 1, 5)
            header, body = {}, b""
            for name, tensor in weights.items():
                raw = struct.pack(f"<{len(tensor.values)}e", *tensor.values) if code else \
                    b"".join(struct.pack("<f", v)[2:] for v in tensor.values)
                header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(raw)]}
                body += raw
            text = json.dumps(header).encode()
            model = self.gru()
            self.write("net.safetensors", struct.pack("<Q", len(text)) + text + body)
            self.prune(model, "--scheme", "row", "--rate", "2", output=f"{dtype}/model.yaml")
            after = read_safetensors(self.path(dtype, "model.safetensors"))
            for name in weights:
                self.assertEqual(after[name][0], dtype)
            for name in ("gru0.weight_hh", "y.weight"):
                raw = body[slice(*header[name]["data_offsets"])]
                mask = after[name + "_mask"][2] if name + "_mask" in after else b"\1" * (len(raw) // 2)
                self.assertEqual(after[name][2], b"".join(raw[2 * i:2 * i + 2] if m else b"\0\0" for i, m in enumerate(mask)))

    def test_patterns(self):
        model = self.dense()
        report = self.prune(model, "--scheme", "bsp", "--scheme", "*.weight_ih=unstructured", "--block", "8x8", "--rate", "4",
                            "--rate", "gru0.weight_ih=2", "--column-rate", "gru*_hh=2", "--json").json()
        self.assertEqual({m["name"]: (m["scheme"], m["rate_asked"]) for m in report["matrices"]},
                         {"gru0.weight_ih": ("unstructured", "2"), "gru0.weight_hh": ("bsp", "4")})
        only = self.prune(model, "--layer", "gru0.weight_hh", "--scheme", "row", "--rate", "2", "--json").json()
        self.assertEqual([m["name"] for m in only["matrices"]], ["gru0.weight_hh"])
        linear = self.prune(model, "--layer", "y", "--scheme", "row", "--rate", "2", "--json").json()
        self.assertEqual([m["name"] for m in linear["matrices"]], ["y.weight"])
        every = self.prune(model, "--linear", "--scheme", "row", "--rate", "2", "--json").json()
        self.assertEqual(len(every["matrices"]), 3)
        self.assertEqual(every["weights"], every["network_weights"])

    def test_one_budget_for_the_model(self):
        model = self.dense()
        weights = gru_weights(24, 6, 1.0, 1, 5)
        weights["gru0.weight_hh"].values = [v / 50 for v in weights["gru0.weight_hh"].values]
        self.write("net.safetensors", safetensors(weights))
        report = self.prune(model, "--scheme", "unstructured", "--rate", "5", "--budget", "model", "--json").json()
        self.assertEqual(report["kept"], round(report["weights"] / 5))
        rates = {m["name"]: m["rate"] for m in report["matrices"]}
        self.assertGreater(rates["gru0.weight_hh"], 5 * rates["gru0.weight_ih"])
        self.assertEqual(report["rate_asked"], "5")

    def test_the_text_report(self):
        result = self.prune(self.dense(), "--scheme", "bsp", "--block", "8x3", "--rate", "3")
        self.assertRegex(result.out, r"(?m)^gru0\.weight_hh +bsp 8x3 +3 +24 +24 +1728 +576 +3 +3\.00 +\d\d\.\d\d %$")
        self.assertRegex(result.out, r"(?m)^total ")
        self.assertIn("written: ", result.out)
        self.assertEqual(result.err, "")

    def test_what_fails_leaves_nothing_behind(self):
        weights = gru_weights(24, 6, 1.0, 1, 5)
        model = self.gru()
        weights["y.weight"].values[7] = math.nan
        weights["gru0.weight_hh"].values[3] = math.inf
        self.write("net.safetensors", safetensors(weights))
        result = self.prune(model, "--scheme", "row", "--rate", "2", status=USER)
        self.assertIn("weight 'gru0.weight_hh' is infinite at [0, 3] [weight-not-finite]", result.err)
        self.assertIn("weight 'y.weight' is NaN at [0, 7] [weight-not-finite]", result.err)
        self.prune(model, "--scheme", "row", "--rate", "2", "--budget", "model", status=USER)
        self.assertEqual(result.out, "")
        self.assertFalse(os.path.exists(self.path("pruned")))
        self.prune(self.path("none.yaml"), "--scheme", "row", "--rate", "2", status=ENVIRONMENT)
        os.remove(self.path("net.safetensors"))
        self.prune(model, "--scheme", "row", "--rate", "2", status=ENVIRONMENT)
        self.assertEqual(sorted(os.listdir(self.dir)), ["net.yaml"])

    def test_a_full_disk_or_a_missing_folder_is_the_environment(self):
        model = self.dense()
        options = ["--scheme", "row", "--rate", "2"]
        missing = self.prune(model, *options, output="no/such/model.yaml", status=ENVIRONMENT)
        self.assertIn("cannot make the folder of", missing.err)
        self.write("file", "")
        self.prune(model, *options, output="file/model.yaml", status=ENVIRONMENT)
        self.write("old/model.yaml", "old")
        self.write("old/model.safetensors", "old")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        for output in ("old/model.yaml", "new/model.yaml"):
            full = self.expect(ENVIRONMENT, "prune", model, "-o", self.path(output), *options, preexec_fn=limit)
            self.assertIn("File too large", full.err)
        self.assertEqual([read(self.path("old", name)) for name in sorted(os.listdir(self.path("old")))], ["old", "old"])
        self.assertFalse(os.path.exists(self.path("new")))

    def test_memory_stays_below_twice_the_file(self):
        if SANITIZED:
            self.skipTest("a sanitizer's memory is not ours")
        rng = random.Random(3)
        piece = array.array("f", (rng.gauss(0, 1) for _ in range(4099))).tobytes()

        def peak(size, layers, *options):
            header, offset = {}, 0
            for layer in range(layers):
                for tensor in ("weight_ih", "weight_hh"):
                    header[f"g{layer}.{tensor}"] = {"dtype": "F32", "shape": [3 * size, size],
                                                    "data_offsets": [offset, offset + 12 * size * size]}
                    offset += 12 * size * size
            text = json.dumps(header).encode()
            with open(self.path("big.safetensors"), "wb") as file:
                file.write(struct.pack("<Q", len(text)) + text)
                file.write((piece * (offset // len(piece) + 1))[:offset])
            model = self.write("big.yaml", "rtm: 1\nname: big\nweights: big.safetensors\n"
                               f"inputs: [{{name: x, size: {size}}}]\nlayers:\n" +
                               "".join(f"  - {{name: g{i}, op: gru, size: {size}, reset: after}}\n" for i in range(layers)) +
                               f"outputs: [g{layers - 1}]\n")
            process = subprocess.Popen([RTMC, "prune", model, "-o", self.path("out/big.yaml"), "-q", *options],
                                       stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, OK)
            return usage.ru_maxrss * 1024, os.path.getsize(self.path("big.safetensors"))

        for options in (["--scheme", "bsp", "--block", "32x64", "--rate", "10"], ["--scheme", "unstructured", "--rate", "10"],
                        ["--scheme", "unstructured", "--rate", "10", "--budget", "model"]):
            base, _ = peak(8, 1, "--scheme", "row", "--rate", "2")
            used, file = peak(512, 6, *options)
            self.assertLess(used - base, 2 * file, options)


if __name__ == "__main__":
    main()
