"""dump, opt, --emit, --dump-dir and inspect: the IRs as text, stopped and resumed anywhere."""
import os
import re

from harness import Case, ENVIRONMENT, OK, USER, main, read, rtmc

PASSES = ["apply-masks", "fold-constants", "find-structure", "lower-cells", "choose-schedule", "reorder-rows", "share-loads",
          "partition", "pack"]
HOST = ["--target", "x86_64-linux-gnu", "--cpu", "x86-64-v3"]


class Ir(Case):
    def setUp(self):
        super().setUp()
        self.model = self.gru(size=40)

    def kernel(self, source, name="final", command="dump", *options):
        path = self.path(f"{name}.yaml")
        self.expect(OK, command, source, "-o", path, *HOST, *options)
        return path

    def test_emit_goes_to_stdout_or_to_a_file(self):
        for kind, key in (("network", "rtm_network:"), ("kernel", "rtm_kernel:")):
            for arguments in (["dump", self.model], [self.model]):
                result = self.expect(OK, *arguments, f"--emit={kind}", *HOST)
                self.assertIn(key, result.out)
                self.assertIn("note:", result.err)  # large constants are not printed
            self.expect(OK, self.model, f"--emit={kind}", "-o", self.path("ir.yaml"), *HOST)
            self.assertTrue(os.path.exists(self.path("ir.safetensors")))
            self.assertEqual(read(self.path("ir.yaml")).split()[0], result.out.split()[0])

    def test_opt_finishes_what_dump_stopped_after_any_pass(self):
        final = read(self.kernel(self.model))
        for stop in ["parse"] + PASSES:
            stopped = self.kernel(self.model, f"after_{stop}", "dump", "--stop-after", stop)
            resumed = self.kernel(stopped, "final", "opt")  # the same name, so that references agree
            self.assertEqual(read(resumed), final, stop)

    def test_dump_dir_holds_a_file_per_pass_and_each_resumes(self):
        final = read(self.kernel(self.model, "final", "dump", "--dump-dir", self.path("dumps", "new")))
        names = sorted(n for n in os.listdir(self.path("dumps", "new")) if n.endswith(".yaml"))
        self.assertEqual(names, [f"{i + 1:02}-{name}.yaml" for i, name in enumerate(PASSES)])
        for name in names:
            resumed = self.kernel(self.path("dumps", "new", name), "final", "opt")
            self.assertEqual(read(resumed), final, name)
        self.expect(ENVIRONMENT, "dump", self.model, "--dump-dir", "/proc/none")

    def test_ir_compiles_to_the_same_code(self):
        self.expect(OK, self.model, "-o", self.path("a.cpp"), *HOST)
        direct = read(self.path("a.cpp"))
        for stop in ("parse", "find-structure", "pack"):
            stopped = self.kernel(self.model, "ir", "dump", "--stop-after", stop)
            self.expect(OK, stopped, "-o", self.path("a.cpp"), *HOST)
            self.assertEqual(read(self.path("a.cpp")), direct, stop)

    def test_passes_one_by_one(self):
        source = self.kernel(self.model, "step", "dump", "--stop-after", "parse")
        for name in PASSES:
            source = self.kernel(source, "step", "opt", f"--passes={name}")
        self.assertEqual(read(source).replace("step.safetensors", "final.safetensors"), read(self.kernel(self.model)))
        every = self.kernel(self.kernel(self.model, "p", "dump", "--stop-after", "parse"), "final", "opt",
                            "--passes=" + ",".join(PASSES))
        self.assertEqual(read(every), read(self.kernel(self.model)))

    def test_wrong_passes(self):
        network = self.kernel(self.model, "n", "dump", "--stop-after", "find-structure")
        kernel = self.kernel(self.model, "k", "dump", "--stop-after", "lower-cells")
        self.assertIn("did you mean 'pack'", self.expect(USER, "opt", network, "--passes=pakc").err)
        self.assertIn("needs kernel IR", self.expect(USER, "opt", network, "--passes=pack").err)
        self.assertIn("needs a network", self.expect(USER, "opt", kernel, "--passes=find-structure").err)
        self.assertIn("did you mean 'pack'", self.expect(USER, "dump", self.model, "--stop-after", "pak").err)
        self.assertIn("there is no network", self.expect(USER, "dump", self.model, "--emit=network", "--stop-after=pack").err)
        self.assertIn("no kernel IR yet",
                      self.expect(USER, "dump", self.model, "--emit=kernel", "--stop-after=apply-masks").err)
        self.expect(USER, self.model, "-o", self.path("k.cpp"), "--stop-after", "pack")
        self.expect(ENVIRONMENT, "opt", self.path("none.yaml"))

    def test_lists_of_passes_that_are_not_true(self):
        self.expect(OK, "dump", self.model, "--dump-dir", self.path("dump"), "-o", self.path("last.yaml"), *HOST)
        files = sorted(name for name in os.listdir(self.path("dump")) if name.endswith(".yaml"))
        outcomes = set()
        for file in files:
            text = read(self.path("dump", file))
            # Told to stand earlier or later in the pipeline than it does, or in its middle without a beginning.
            for done in [PASSES[:i] for i in range(len(PASSES) + 1)] + [PASSES[i:] for i in range(1, len(PASSES))]:
                path = self.write("dump/told.yaml", re.sub(r"passes: \[.*\]", f"passes: [{', '.join(done)}]", text, count=1))
                result = rtmc("opt", path, "-q", *HOST)
                self.assertIn(result.status, (OK, USER), f"{file} {done}\n{result.err}")
                if result.status == USER:
                    self.assertIn("[ir-file]", result.err, f"{file} {done}")
                outcomes.add(result.status)
        self.assertEqual(outcomes, {OK, USER})

    def test_passes_without_what_they_need(self):
        cells = self.kernel(self.model, "k", "dump", "--stop-after", "lower-cells")
        for names, missing in (("reorder-rows,pack", "no shapes of tiles"), ("partition", "not in groups"),
                               ("choose-schedule,reorder-rows,share-loads,pack", "not cut into shares"),
                               ("choose-schedule,reorder-rows,share-loads,partition,pack,pack", "packed already")):
            self.assertIn(missing, self.expect(USER, "opt", cells, f"--passes={names}").err)
        # A pass that was left out before others have run stays out.
        masks = self.kernel(self.model, "n", "dump", "--stop-after", "apply-masks")
        self.expect(OK, "opt", masks, "--passes=find-structure,lower-cells", "-o", self.path("unfolded.yaml"))
        self.expect(OK, self.path("unfolded.yaml"), "-o", self.path("unfolded.cpp"), *HOST)

    def test_ir_without_domains_and_for_wider_vectors(self):
        cells = read(self.kernel(self.model, "k", "dump", "--stop-after", "lower-cells"))
        path = self.write("k2.yaml", re.sub(r"\n *domain: .*", "", cells, count=1))
        self.assertIn("has no domain", self.expect(USER, "opt", path, *HOST).err)
        packed = read(self.kernel(self.model, "p", "dump", "--cpu", "x86-64-v4"))
        path = self.write("p2.yaml", packed.replace("cpu: x86-64-v4", "cpu: x86-64", 1))
        self.assertIn("is packed for vectors of", self.expect(USER, path, "-o", self.path("p.cpp")).err)
        chosen = read(self.kernel(self.model, "s", "dump", "--stop-after", "choose-schedule", "--cpu", "x86-64-v4"))
        narrow = re.sub(r"format: [a-z]+, lanes: \w+, tile: \d+", "format: bspc, lanes: rows2, tile: 8", chosen)
        path = self.write("s2.yaml", narrow)
        self.assertIn("there is no kernel", self.expect(USER, path, "-o", self.path("s.cpp"), "--cpu", "x86-64-v4").err)

    def test_damaged_ir(self):
        path = self.kernel(self.model, "ir")
        text = read(path)
        for name, change in (("cut", text[:len(text) // 2]), ("key", text.replace("shares:", "sharse:", 1)),
                             ("type", text.replace("shares: 1", "shares: many", 1)),
                             ("range", text.replace("shares: 1", "shares: 4000000000", 1))):
            broken = self.write("ir.yaml", change)
            result = self.expect(USER, "opt", broken, *HOST)
            self.assertIn("[ir-file]", result.err, name)
        self.write("ir.yaml", text)
        constants = read(self.path("ir.safetensors"), "rb")
        self.write("ir.safetensors", constants[:-1] + bytes([constants[-1] ^ 1]))
        self.assertIn("[ir-file]", self.expect(USER, "opt", path, *HOST).err)
        os.remove(self.path("ir.safetensors"))
        result = self.expect(USER, "opt", path, *HOST)
        self.assertIn("ir.safetensors", result.err)

    def test_inspect(self):
        report = self.expect(OK, "inspect", self.model, "--json", *HOST).json()
        for key in ("matrices", "phases", "folded", "loads_before", "loads_after", "weight_bytes", "index_bytes", "csr_bytes",
                    "predicted_step_ns", "threads_used", "machine"):
            self.assertIn(key, report)
        for matrix in report["matrices"]:
            self.assertGreater(matrix["groups"], 0)
            self.assertGreater(matrix["tiles"], 0)
            self.assertGreater(matrix["predicted_ns"], 0)
            self.assertNotEqual(matrix["scheme"], "auto")
            self.assertLessEqual(matrix["density"], 1)
        for key in ("loads_before", "loads_after", "weight_bytes", "index_bytes"):
            self.assertEqual(sum(m[key] for m in report["matrices"]), report[key], key)
        text = self.expect(OK, "inspect", self.model, *HOST).out
        for matrix in report["matrices"]:
            self.assertIn(matrix["name"], text)
        self.assertIn("folded:", text)

    def test_a_schedule_printed_is_a_schedule_read(self):
        final = self.kernel(self.model)
        again = self.kernel(self.model, "final", "dump", "--schedule", self.write("s.yaml", read(final)))
        self.assertEqual(read(again), read(final))


if __name__ == "__main__":
    main()
