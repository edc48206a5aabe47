"""rtmc bench and rtmc machine: what they report, not how fast this machine is."""
import os
import pty
import subprocess

from harness import Case, OK, RTMC, USER, main, read
from models import WHOLE_SEQUENCES, inputs_of, write_network


class Bench(Case):
    KEYS = ("step_us_min", "step_us_median", "weight_bytes", "index_bytes", "code_bytes", "gbps", "roofline_share",
            "loads_before", "loads_after", "threads_used", "steps_per_call", "footprint_bytes", "floor_us", "nonzeros")

    def bench(self, *arguments):
        report = self.expect(OK, "bench", *arguments, "--quick", "--json").json()
        for key in self.KEYS:
            self.assertGreater(report[key], 0, key)
        self.assertLessEqual(report["step_us_min"], report["step_us_median"])
        # Bytes over time, and floor over time, must be the quotients they claim to be.
        moved = report["weight_bytes"] + report["index_bytes"]
        self.assertAlmostEqual(report["gbps"], moved / report["step_us_min"] / 1000, delta=report["gbps"] * 1e-6)
        self.assertAlmostEqual(report["roofline_share"], report["floor_us"] / report["step_us_min"], delta=1e-6)
        floor = max(report["floor_bandwidth_us"], report["floor_multiply_add_us"]) + report["floor_gates_us"]
        self.assertAlmostEqual(report["floor_us"], floor, delta=1e-9)
        return report

    def test_keys_and_quotients(self):
        report = self.bench(self.gru(size=128), "--precision", "f16")
        self.assertEqual(report["footprint_bytes"], 2 * report["nonzeros"])
        self.assertEqual(report["steps_per_call"], 1)
        self.assertEqual(len(report["phase_us"]), 3)
        self.assertLessEqual(report["live_gates"], 3 * 128)

    def test_against_dense(self):
        report = self.bench(self.gru(size=256, keep=0.05), "--against", "dense", "--steps-per-call", "8")
        self.assertEqual(report["steps_per_call"], 8)
        self.assertAlmostEqual(report["speedup_over_dense"], report["dense"]["step_us_min"] / report["step_us_min"], delta=1e-6)

    def test_threads(self):
        report = self.bench(self.gru(size=384, inputs=64, keep=0.6), "--threads", "2")
        self.assertEqual(report["threads_used"], 2)
        self.assertIn("speedup_over_one_thread", report)

    def test_whole_sequences(self):
        layers = WHOLE_SEQUENCES["both"]
        model = write_network(self, "both", inputs_of("both"), layers)
        self.assertEqual(self.bench(model)["steps_per_call"], 50)

    def test_text(self):
        text = self.expect(OK, "bench", self.gru(), "--quick").out
        for word in ("us per step", "roofline share", "GB/s", "loads"):
            self.assertIn(word, text)

    def test_progress_on_a_terminal_and_only_there(self):
        master, slave = pty.openpty()
        with subprocess.Popen([RTMC, "machine"], stdout=subprocess.DEVNULL, stderr=slave) as process:
            os.close(slave)
            shown = b""
            while b"measuring ... 1 s" not in shown and process.poll() is None:
                shown += os.read(master, 4096)
            process.kill()
        os.close(master)
        self.assertIn(b"rtmc: measuring ... 1 s", shown)
        self.assertEqual(self.expect(OK, "machine", "--quick").err, "")  # a second or more, into a pipe

    def test_machine_prints_what_machine_reads(self):
        described = self.path("m.yaml")
        result = self.expect(OK, "machine", "--quick", "-o", described)
        self.assertEqual(result.out, "")
        report = self.expect(OK, "machine", "--quick", "--json").json()
        for key in ("fma_f32_per_ns", "gate_ns", "tile_ns", "loads_per_ns", "cores"):
            self.assertGreater(report[key], 0, key)
        self.assertGreater(len(report["bandwidth"]), 3)
        model = self.gru()
        used = self.expect(OK, "inspect", model, "--json", "--machine", described).json()
        self.assertEqual(used["machine_source"], "measured")
        self.assertIn("bandwidth", self.expect(OK, "machine", "--quick").out)
        slow = self.write("slow.yaml", read(described).replace("bandwidth", "bandwith"))
        self.assertIn("[machine-file]", self.expect(USER, "inspect", model, "--machine", slow).err)


if __name__ == "__main__":
    main()
