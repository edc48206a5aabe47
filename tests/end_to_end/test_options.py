"""The command line itself: commands, options, help, refusals, exit statuses."""
import json
import os

from harness import Case, ENVIRONMENT, OK, USER, gru_weights, main, read, rtmc, safetensors

COMMANDS = ["compile", "inspect", "run", "verify", "bench", "machine", "opt", "dump", "prune"]


class Options(Case):
    def test_version_and_help_go_to_stdout(self):
        for arguments in (["--version"], ["--help"], ["-h"]):
            result = self.expect(OK, *arguments)
            self.assertTrue(result.out)
            self.assertEqual(result.err, "")
        self.assertRegex(self.expect(OK, "--version").out, r"^rtmc \d+\.\d+\.\d+\n$")

    def test_every_command_has_help(self):
        for command in COMMANDS:
            text = self.expect(OK, command, "--help").out
            self.assertIn("--json", text)
            self.assertNotIn("--corrupt-weight", text)
        self.assertIn("--corrupt-weight", self.expect(OK, "verify", "--help-developer").out)
        for option in ("--backend", "--precision", "--threads", "--target", "--cpu", "--tuning", "--schedule", "--unroll",
                       "--json", "--quiet", "-v"):
            self.assertIn(option, self.expect(OK, "--help").out)

    def test_no_arguments(self):
        result = self.expect(USER)
        self.assertEqual(result.out, "")
        self.assertIn("rtmc MODEL.yaml -o kernel.cpp", result.err)

    def check(self, arguments, *texts):
        result = self.expect(USER, *arguments)
        self.assertEqual(result.out, "")
        for text in texts:
            self.assertIn(text, result.err)
        for line in result.err.splitlines():
            self.assertRegex(line, r"^error: [a-z`'0-9].*[^.] \[[a-z-]+\]$")

    def test_mistakes_name_the_nearest(self):
        self.check(["model.yaml", "--presicion", "f32"], "unknown option '--presicion'; did you mean '--precision'",
                   "[argument]")
        self.check(["inspekt", "model.yaml"], "unknown command 'inspekt'; did you mean 'inspect'")
        self.check(["model.yaml", "--precision", "f15"], "one of f32, f16, bf16, i8 is needed")
        self.check(["model.yaml", "--threads", "0"], "'0'", "1 to 256")
        self.check(["model.yaml", "--threads=two"], "'two'")
        self.check(["model.yaml", "--threads", "99999999999999999999"], "'99999999999999999999'")
        self.check(["model.yaml", "-o"], "needs a value")
        self.check(["model.yaml", "--json=yes"], "takes no value")
        self.check(["model.yaml", "other.yaml", "-o", "k.cpp"], "unexpected argument 'other.yaml'")
        self.check(["machine", "model.yaml"], "takes options only")
        self.check(["inspect", "model.yaml", "-i", "x.npy"], "does not belong to `rtmc inspect`", "run, verify")
        self.check(["inspect"], "needs a file")
        self.check([""], "needs a file")

    def test_several_mistakes_are_reported_together(self):
        result = self.expect(USER, "model.yaml", "--thread", "2", "--unroll", "half")
        self.assertIn("--thread'", result.err)
        self.assertIn("'half'", result.err)

    def test_what_does_not_exist_yet(self):
        model = self.gru()
        for command in ("tune", "import"):
            self.check([command, model], "does not exist yet", "[not-available]")
        for options in (["--precision", "i8"], ["--backend", "opencl"]):
            self.check([model, "-o", self.path("k.cpp"), *options], "does not exist yet", "[not-available]")
            self.assertFalse(os.path.exists(self.path("k.cpp")))

    def test_unknown_target_and_processor(self):
        model = self.gru()
        self.check([model, "-o", self.path("k.cpp"), "--target", "nonsense-triple"], "nonsense")
        self.check([model, "-o", self.path("k.cpp"), "--cpu", "sapphirerapid"], "sapphirerapids")

    def test_order_and_forms_of_options(self):
        model = self.gru()
        a, b = self.path("a", "k.cpp"), self.path("b", "k.cpp")
        os.mkdir(self.path("a")), os.mkdir(self.path("b"))
        self.expect(OK, "--precision=f16", "-o", a, model, "--cpu", "x86-64-v3", "--target", "x86_64-linux-gnu")
        self.expect(OK, "compile", model, f"-o{b}", "--precision", "f16", "--cpu=x86-64-v3",
                    "--target=x86_64-linux-gnu", "--")
        self.assertEqual(read(a), read(b))

    def test_quiet_and_verbose(self):
        model = self.gru()
        loud = rtmc(model, "-o", self.path("k.cpp"), "-v")
        self.assertIn("target", loud.err)
        self.assertEqual(rtmc(model, "-o", self.path("k.cpp"), "-v", "--quiet").err, "")

    def test_a_missing_bias_is_noted(self):
        model = self.gru()
        weights = gru_weights(24, 6, 0.3, 1, 5)
        del weights["y.bias"]
        self.write("net.safetensors", safetensors(weights))
        noted = self.expect(OK, model, "-o", self.path("k.cpp"))
        self.assertIn("note:", noted.err)
        self.assertIn("[missing-bias]", noted.err)
        self.assertEqual(self.expect(OK, model, "-o", self.path("k.cpp"), "-q").err, "")

    def test_schedule_and_tuning_files(self):
        model = self.gru()
        output = self.path("k.cpp")
        for option in ("--schedule", "--tuning", "--machine"):
            missing = self.expect(ENVIRONMENT, model, "-o", output, option, self.path("none"))
            self.assertIn("none", missing.err)
            junk = self.expect(USER, model, "-o", output, option, self.write("junk", "what: [is this"))
            self.assertIn("junk: error:", junk.err)
            self.assertFalse(os.path.exists(output))
        empty = self.expect(USER, model, "-o", output, "--tuning", self.write("t.jsonl", '{"about": "nothing"}\n'))
        self.assertIn("no usable record", empty.err)

        # A record for a pattern replaces what the cost model chose; --schedule wins over it.
        matrices = self.expect(OK, "inspect", model, "--json").json()["matrices"]
        pattern = next(m["pattern"] for m in matrices if m["name"] == "gru0.weight_hh.r")
        record = {"pattern": pattern, "schedule": {"format": "dense", "lanes": "rows4", "tile": 8}}
        tuning = self.write("good.jsonl", json.dumps(record) + "\n" + '{"pattern": "torn')
        chosen = self.matrix(model, "--tuning", tuning)
        self.assertEqual((chosen["format"], chosen["lanes"]), ("dense", "rows4"))
        schedule = self.write("s.yaml", "schedules:\n  \"*\": {format: dense, lanes: rows8, tile: 8}\n")
        self.assertEqual(self.matrix(model, "--schedule", schedule)["lanes"], "rows8")
        # Exact patterns go before "*", wherever they come from.
        self.assertEqual(self.matrix(model, "--schedule", schedule, "--tuning", tuning)["lanes"], "rows4")

    def test_a_schedule_leaves_to_the_command_line_what_it_does_not_name(self):
        model = self.gru()
        schedule = self.write("s.yaml", "schedules:\n  \"*\": {format: dense, lanes: rows4, tile: 8}\n")
        pattern = self.matrix(model)["pattern"]
        record = {"pattern": pattern, "schedule": {"format": "dense", "lanes": "rows4", "tile": 8}}
        tuning = self.write("t.jsonl", json.dumps(record) + "\n")
        for file in (["--schedule", schedule], ["--tuning", tuning]):
            chosen = self.matrix(model, *file, "--precision", "f16", "--unroll", "full", "--placement", "in-place")
            self.assertEqual((chosen["format"], chosen["lanes"]), ("dense", "rows4"))
            self.assertEqual((chosen["precision"], chosen["unroll"], chosen["placement"]), ("f16", "full", "in_place"))

    def test_the_report_names_the_precision_that_a_schedule_gives_all_weights(self):
        model = self.gru()
        one = self.write("one.yaml", "schedules:\n  \"*\": {format: dense, lanes: rows4, tile: 8, precision: bf16}\n")
        self.assertEqual(self.expect(OK, "inspect", model, "--json", "--schedule", one).json()["precision"], "bf16")
        self.expect(OK, "verify", model, "--schedule", one)
        name = "schedules:\n  gru0.weight_hh.r: {format: dense, lanes: rows4, tile: 8, precision: bf16}\n"
        some = self.write("some.yaml", name)
        mixed = self.expect(OK, "inspect", model, "--json", "--precision", "f16", "--schedule", some).json()
        self.assertEqual(mixed["precision"], "f16")
        self.assertEqual({m["precision"] for m in mixed["matrices"]}, {"bf16", "f16"})
        self.expect(OK, "verify", model, "--precision", "f16", "--schedule", some)

    def matrix(self, model, *options):
        matrices = self.expect(OK, "inspect", model, "--json", *options).json()["matrices"]
        return next(m for m in matrices if m["name"] == "gru0.weight_hh.r")


if __name__ == "__main__":
    main()
