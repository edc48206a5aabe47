"""rtmc verify: right code passes, for every op, precision and switch; wrong weights never do."""
import random

from harness import BUG, Case, OK, USER, main, npy, random_rows
from models import CAUSAL, WHOLE_SEQUENCES, inputs_of, write_network


class Verify(Case):
    def verify(self, model, *options, status=OK):
        return self.expect(status, "verify", model, "--steps", "6", "--json", *options).json()

    def test_every_network_in_every_precision(self):
        for name, layers in {**CAUSAL, **WHOLE_SEQUENCES}.items():
            model = write_network(self, name, inputs_of(name), layers, outputs=[layers[0]["name"], layers[-1]["name"]]
                                  if len(layers) > 1 else None)
            for precision in ("f32", "f16", "bf16"):
                report = self.verify(model, "--precision", precision, "--threads", "3")
                self.assertTrue(report["ok"])
                self.assertEqual(report["weights_wrong"], 0)
                self.assertLessEqual(report["weight_error_ulp"], 0.5)
                self.assertEqual(report["causal"], name in CAUSAL)
                self.assertGreater(report["ways_compared"], 1)
                for used in report["inputs"]:
                    self.assertGreater(used["compared"], 0)
                    self.assertLess(used["worst_bound_share"], 1)
                if precision != "f32":
                    self.assertGreater(report["deviation_from_unrounded"], 0)

    def test_switches_and_unrolling(self):
        model = self.gru(size=40)
        for options in (["--no-fold"], ["--no-permute"], ["--no-reorder"], ["--no-share-loads"], ["--no-compact"],
                        ["--unroll", "tile"], ["--unroll", "full"], ["--unroll", "none"], ["--weights", "blob"],
                        ["--placement", "in-place"], ["--cpu", "portable"], ["--cpu", "x86-64"]):
            self.assertTrue(self.verify(model, *options)["ok"], options)

    def test_several_shares(self):
        # Work that is worth a second thread: the compiler decides, so the network must be large enough.
        model = self.gru(size=384, inputs=64, keep=0.6)
        report = self.verify(model, "--threads", "2", "--precision", "f16")
        self.assertEqual(report["threads_used"], 2)
        self.assertGreaterEqual(report["ways_compared"], 9)

    def test_own_input_and_seed(self):
        model = self.gru()
        rows = self.write("x.npy", npy(random_rows(5, 6)))
        report = self.verify(model, "-i", rows, "--seed", "77")
        self.assertEqual(report["seed"], 77)
        self.assertTrue(any(i["name"].startswith("-i ") and i["steps"] == 5 for i in report["inputs"]))
        self.expect(USER, "verify", model, "-i", self.write("bad.npy", npy(random_rows(5, 4))))

    def test_a_promised_range_is_kept(self):
        layers = [dict(name="a", op="gru", size=16, reset="before")]
        model = write_network(self, "ranged", {"x": 7}, layers, ranges={"x": "[-1, 1]"})
        self.assertTrue(self.verify(model, "--precision", "f16")["ok"])

    def test_a_weight_set_to_zero_is_always_found(self):
        rng = random.Random(11)
        for name in ("gru_before", "joined", "both", "lstm_projection"):
            layers = {**CAUSAL, **WHOLE_SEQUENCES}[name]
            model = write_network(self, name, inputs_of(name), layers)
            for precision in ("f32", "f16", "bf16"):
                number = rng.randrange(1 << 40)
                result = self.expect(BUG, "verify", model, "--json", "--precision", precision, "--steps", "2",
                                     "--corrupt-weight", number)
                report = result.json()
                self.assertFalse(report["ok"], (name, precision, number))
                self.assertGreaterEqual(report["weights_wrong"], 1)
                self.assertIn("is 0 in the library", result.err)

    def test_text_report(self):
        result = self.expect(OK, "verify", self.gru(), "--steps", "3")
        self.assertIn("net: ok", result.out)
        self.assertEqual(result.err, "")

    def test_ir_is_not_enough(self):
        model = self.gru()
        self.expect(OK, "dump", model, "-o", self.path("ir.yaml"))
        self.expect(USER, "verify", self.path("ir.yaml"))


if __name__ == "__main__":
    main()
