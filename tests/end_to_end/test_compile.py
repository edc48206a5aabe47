"""rtmc MODEL.yaml -o kernel.cpp: what is written, that it is written whole or not at all, and always the same."""
import os
import random
import resource
import shutil
import signal
import subprocess
import time
import unittest

from harness import Case, ENVIRONMENT, OK, RTMC, SANITIZED, SOURCE_DIR, USER, gru_weights, main, read, safetensors

HOST = ["--target", "x86_64-linux-gnu", "--cpu", "x86-64-v3"]


class Compile(Case):
    def files(self, *below):
        return sorted(os.listdir(self.path(*below)))

    def out(self, *names):
        os.makedirs(self.path("out"), exist_ok=True)
        return self.path("out", *names)

    def test_source_and_header_and_nothing_else(self):
        model = self.gru()
        result = self.expect(OK, model, "-o", self.out("kernel.cpp"))
        self.assertEqual((result.out, result.err), ("", ""))
        self.assertEqual(self.files("out"), ["kernel.cpp", "kernel.h"])
        self.assertIn("net_model(void)", read(self.out("kernel.h")))

    def test_json_lists_outputs_and_keys(self):
        model = self.gru()
        facts = self.expect(OK, model, "-o", self.out("k.cpp"), "--json", "--weights", "blob", "--threads", "2",
                            "--precision", "f16").json()
        self.assertEqual(sorted(facts["outputs"]), sorted(self.out(n) for n in self.files("out")))
        self.assertEqual(len(facts["outputs"]), 3)
        self.assertEqual(facts["inputs"], [model, self.path("net.safetensors")])
        for key in ("weight_bytes", "index_bytes", "code_bytes", "loads_before", "loads_after", "threads_used", "csr_bytes"):
            self.assertGreater(facts[key], 0, key)
        self.assertLess(facts["loads_after"], facts["loads_before"])
        self.assertLess(facts["weight_bytes"] + facts["index_bytes"], facts["csr_bytes"])

    def test_header_compiles_as_c(self):
        compiler = shutil.which("cc")
        if not compiler:
            self.skipTest("no C compiler")
        self.expect(OK, self.gru(), "-o", self.out("k.cpp"))
        user = self.write("out/user.c", '#include "k.h"\nconst rtm_model *get(void) { return net_model(); }\n')
        subprocess.run([compiler, "-std=c11", "-pedantic", "-Wall", "-Werror", "-fsyntax-only",
                        "-I", os.path.join(SOURCE_DIR, "runtime/include"), user], check=True)

    def test_depfile_names_every_input_and_output(self):
        model = self.gru(name="with space")
        text = read(model).replace("name: with space", "name: net").replace("weights: with space.safetensors",
                                                                              "weights: [a.safetensors, b.safetensors]")
        weights = gru_weights(24, 6, 0.3, 1, 5)
        self.write("a.safetensors", safetensors({k: v for k, v in weights.items() if k.startswith("gru0")}))
        self.write("b.safetensors", safetensors({k: v for k, v in weights.items() if k.startswith("y")}))
        self.write("with space.yaml", text)
        schedule = self.write("s.yaml", 'schedules:\n  "*": {format: dense, lanes: rows8, tile: 8}\n')
        self.expect(OK, model, "-o", self.out("k.cpp"), "-MD", self.out("k.d"), "--schedule", schedule, "--weights", "blob")
        rule = read(self.out("k.d")).replace("\\\n", " ")
        targets, inputs = rule.split(":", 1)
        self.assertEqual(sorted(targets.split()), [self.out(n) for n in self.files("out") if n != "k.d"])
        escaped = inputs.replace("\\ ", "\0").split()
        self.assertEqual(sorted(i.replace("\0", " ") for i in escaped),
                         sorted([model, schedule, self.path("a.safetensors"), self.path("b.safetensors")]))

    def test_same_inputs_same_bytes(self):
        for options in (["--precision", "f16"], ["--unroll", "full"], ["--threads", "3"], ["--weights", "blob"]):
            outputs = []
            for place in ("first", "second/deeper"):
                folder = self.path(place)
                os.makedirs(folder, exist_ok=True)
                saved, self.dir = self.dir, folder
                self.gru()
                self.dir = saved
                self.expect(OK, "net.yaml", "-o", "k.cpp", *HOST, *options, cwd=folder)
                produced = sorted(n for n in os.listdir(folder) if n.startswith("k."))
                outputs.append([(n, read(os.path.join(folder, n), "rb")) for n in produced])
            self.assertEqual(outputs[0], outputs[1])
            for _, content in outputs[0]:
                self.assertNotIn(self.dir.encode(), content)

    def test_every_unroll_and_switch_compiles(self):
        model = self.gru()
        variants = [["--unroll", u] for u in ("auto", "none", "tile", "full")]
        variants += [[s] for s in ("--no-fold", "--no-permute", "--no-reorder", "--no-share-loads", "--no-compact")]
        variants += [["--placement", "in-place"], ["--placement", "arena"], ["--cpu", "portable"]]
        variants += [["--target", "aarch64-linux-gnu"], ["--target", "aarch64-linux-gnu", "--cpu", "cortex-a76"]]
        for options in variants:
            facts = self.expect(OK, model, "-o", self.out("k.cpp"), "--json", *options).json()
            self.assertIn("cpu", facts)

    def test_ablations_change_what_they_name(self):
        model = self.gru(size=64)
        whole = self.gru("whole", size=64, keep=1.0)  # in which rows share every column, whatever the machine
        def loads(*o, of=model):
            return self.expect(OK, of, "-o", self.out("k.cpp"), "--json", *o).json()
        base = loads()
        self.assertGreater(loads("--no-compact")["index_bytes"], base["index_bytes"])
        self.assertGreater(loads("--no-share-loads", of=whole)["loads_after"], loads(of=whole)["loads_after"])
        self.assertEqual(loads("--no-fold")["folded"]["constant_gate_rows"], 0)

    # --- nothing half-written

    def test_errors_write_nothing(self):
        model = self.gru()
        kept = self.write("out/k.cpp", "old")
        broken = self.write("broken.yaml", read(model).replace("size: 24", "size: 25"))
        result = self.expect(USER, broken, "-o", kept, "-MD", self.out("k.d"))
        self.assertIn("[weight-shape]", result.err)
        self.expect(ENVIRONMENT, self.path("missing.yaml"), "-o", kept)
        self.write("net.safetensors", read(self.path("net.safetensors"), "rb")[:-5])
        self.expect(USER, model, "-o", kept)
        os.remove(self.path("net.safetensors"))
        self.expect(ENVIRONMENT, model, "-o", kept)
        self.assertEqual(self.files("out"), ["k.cpp"])
        self.assertEqual(read(kept), "old")

    def test_output_that_cannot_be(self):
        model = self.gru()
        missing = self.expect(ENVIRONMENT, model, "-o", self.path("no", "such", "k.cpp"))
        self.assertIn("no/such", missing.err)
        self.expect(ENVIRONMENT, model, "-o", "/proc/k.cpp")  # a folder in which nobody can write, not even root
        os.makedirs(self.path("folder.cpp"))
        self.expect(ENVIRONMENT, model, "-o", self.path("folder.cpp"))
        self.expect(USER, model, "-o", self.path("k.txt"))
        self.expect(USER, model)
        self.expect(USER, model, "-o", self.out("k.cpp"), "-MD", self.out("k.h"))
        self.assertEqual(self.files("out"), [])
        self.assertEqual([n for n in self.files() if n not in ("out", "folder.cpp", "net.yaml", "net.safetensors")], [])

    def test_read_only_folder(self):
        if os.geteuid() == 0:
            self.skipTest("root may write into every folder (test_output_that_cannot_be uses /proc)")
        model = self.gru()
        os.chmod(self.out(), 0o555)
        self.addCleanup(os.chmod, self.out(), 0o755)
        self.expect(ENVIRONMENT, model, "-o", self.out("k.cpp"))
        self.assertEqual(self.files("out"), [])

    def test_an_output_never_replaces_an_input(self):
        model = self.gru()
        os.rename(model, self.path("net.cpp"))
        before = read(self.path("net.cpp"))
        self.expect(USER, self.path("net.cpp"), "-o", self.path("net.cpp"))
        self.expect(USER, self.path("net.cpp"), "-o", self.out("k.cpp"), "-MD", self.path("out", "..", "net.cpp"))
        self.assertEqual(read(self.path("net.cpp")), before)

    def test_full_disk(self):
        model = self.gru(size=64)
        for name in ("k.cpp", "k.h"):
            self.write(f"out/{name}", "old")
        # A limit on file sizes is a full disk without the need to mount one.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
        result = self.expect(ENVIRONMENT, model, "-o", self.out("k.cpp"), preexec_fn=limit)
        self.assertIn("k.cpp", result.err)
        self.assertEqual(self.files("out"), ["k.cpp", "k.h"])
        self.assertEqual({read(self.out(n)) for n in self.files("out")}, {"old"})

    def test_full_disk_for_real(self):
        model = self.gru(size=64)
        self.out()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", self.out()], capture_output=True)
        if mounted.returncode:
            self.skipTest("no file system may be mounted here: " + mounted.stderr.decode().strip())
        try:
            self.expect(ENVIRONMENT, model, "-o", self.out("k.cpp"))
            self.assertEqual(self.files("out"), [])
        finally:
            subprocess.run(["umount", self.out()], check=True)

    def test_killed_at_any_moment(self):
        model = self.gru(size=96)
        output = self.out("k.cpp")
        self.expect(OK, model, "-o", output, *HOST)
        new = {n: read(self.out(n), "rb") for n in ("k.cpp", "k.h")}
        started = time.monotonic()
        self.expect(OK, model, "-o", output, *HOST)
        whole = time.monotonic() - started
        rng = random.Random(7)
        survived = killed = 0
        for attempt in range(25):
            for name in new:
                self.write(f"out/{name}", f"old {name}")
            process = subprocess.Popen([RTMC, model, "-o", output, *HOST])
            time.sleep(whole * rng.uniform(0.0, 1.1) if attempt < 20 else whole * 0.97)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            for name, content in new.items():
                now = read(self.out(name), "rb")
                survived += now == content
                self.assertIn(now, (content, f"old {name}".encode()))
        self.assertGreater(killed, 0)

    def test_stdout_that_is_closed_is_an_error_of_the_environment(self):
        model = self.gru()
        with open("/dev/full", "w") as full:
            status = subprocess.run([RTMC, "inspect", model], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(status.returncode, ENVIRONMENT)
        self.assertIn("stdout", status.stderr)

    @unittest.skipIf(SANITIZED, "a sanitizer's shadow memory does not fit under a limit")
    def test_memory_that_runs_out(self):
        model = self.gru()
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
        sizes = self.write("huge.yaml", read(model).replace("size: 24", "size: 2147483648"))
        self.expect(USER, sizes, "-o", self.out("k.cpp"), preexec_fn=limit)
        self.assertEqual(self.files("out"), [])


if __name__ == "__main__":
    main()
