"""rtmc run: right numbers, bad arrays, compilers and runners that fail."""
import os
import signal
import stat
import subprocess
import time

from harness import (BUG, Case, ENVIRONMENT, OK, RTMC, RUNNER, USER, gru_reference, gru_weights, main, npy, random_rows, read,
                     read_npy)


class Run(Case):
    def setUp(self):
        super().setUp()
        self.model = self.gru()
        self.rows = random_rows(9, 6)
        self.x = self.write("x.npy", npy(self.rows))
        self.y = self.path("y.npy")

    def run_model(self, status, *options, x=None, **more):
        result = self.expect(status, "run", self.model, "-i", x or self.x, "-o", self.y, *options, **more)
        if status != OK:
            self.assertEqual(result.out, "")
            self.assertFalse(os.path.exists(self.y))
        return result

    def script(self, name, text):
        path = self.write(name, "#!/bin/sh\n" + text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def test_numbers_of_plain_python(self):
        for reset in ("before", "after"):
            self.model = self.gru(reset=reset)
            expected = gru_reference(gru_weights(24, 6, 0.3, 1, 5), self.rows, 24, reset)
            for precision, tolerance in (("f32", 2e-6), ("f16", 3e-3), ("bf16", 3e-2)):
                for threads in ("1", "2"):
                    self.run_model(OK, "--precision", precision, "--threads", threads)
                    got = read_npy(self.y)
                    self.assertEqual(len(got), len(expected))
                    worst = max(abs(a - b) for g, e in zip(got, expected) for a, b in zip(g, e))
                    self.assertLess(worst, tolerance, (reset, precision, threads))

    def test_result_lists_compiler_and_flags(self):
        facts = self.run_model(OK, "--json", "--cxxflags=-DUNUSED").json()
        self.assertEqual(facts["steps"], 9)
        self.assertIn("-std=c++20", facts["compiler"]["cxx_flags"])
        self.assertIn("-DUNUSED", facts["compiler"]["cxx_flags"])

    def test_both_compilers_and_the_environment(self):
        outputs = []
        for options, env in ((["--cxx", "g++"], {}), (["--cxx", "clang++-19"], {}), ([], {"CXX": "g++"}),
                             (["--weights", "blob"], {})):
            facts = self.run_model(OK, "--json", *options, env=env).json()
            if env:
                self.assertEqual(facts["compiler"]["cxx"], ["g++"])
            outputs.append(read(self.y, "rb"))
        self.assertEqual(len(set(outputs)), 1, "bits depend on the compiler")

    def test_forms_of_the_array(self):
        self.run_model(OK)
        expected = read(self.y, "rb")
        header2 = npy(self.rows)
        version2 = header2[:6] + b"\x02\x00" + header2[8:10] + b"\x00\x00" + header2[10:]
        self.run_model(OK, x=self.write("v2.npy", version2))
        self.assertEqual(read(self.y, "rb"), expected)
        self.run_model(OK, x=self.write("empty.npy", npy([], shape=(0, 6))))
        self.assertEqual(read_npy(self.y), [])

    def test_wrong_arrays(self):
        good = npy(self.rows)
        cases = {
            "double": (npy(self.rows, "<f8"), "dtype is '<f8'"),
            "integer": (npy(self.rows, "<i4"), "dtype is '<i4'"),
            "big-endian": (npy(self.rows, ">f4"), "dtype is '>f4'"),
            "fortran": (npy(self.rows, fortran=True), "Fortran order"),
            "width": (npy([r[:5] for r in self.rows]), "shape is [9, 5]; [steps, 6] is needed"),
            "vector": (npy(self.rows, shape=(54,)), "shape is [54]"),
            "cube": (npy(self.rows, shape=(1, 9, 6)), "shape is [1, 9, 6]"),
            "short": (good[:-3], "bytes of values"),
            "long": (good + b"1234", "bytes of values"),
            "cut": (good[:40], "ends inside its header"),
            "empty": (b"", "not a .npy file"),
            "text": (b"0.1 0.2 0.3 0.4 0.5 0.6\n", "not a .npy file"),
            "version": (good[:6] + b"\x09" + good[7:], "version 9"),
            "huge": (npy(self.rows, shape=(1 << 62, 6)), "too large"),
            "overflow": (npy(self.rows, shape=(1 << 63, 6)), ""),
            "object": (good.replace(b"'<f4'", b"'|O' "), "dtype is '|O'"),
            "structured": (good.replace(b"'<f4'", b"[('a',"), "cannot be read"),
            "dictionary": (good.replace(b"{", b"["), "not a dictionary"),
        }
        for name, (content, text) in cases.items():
            path = self.write(f"{name}.npy", content)
            result = self.run_model(USER, x=path)
            self.assertIn(f"{name}.npy: error:", result.err)
            self.assertIn(text, result.err, name)
            self.assertIn("[input-array]", result.err)

    def test_missing_files_and_options(self):
        self.run_model(ENVIRONMENT, x=self.path("none.npy"))
        self.expect(USER, "run", self.model, "-i", self.x)
        self.expect(USER, "run", self.model, "-o", self.y)
        self.expect(ENVIRONMENT, "run", self.model, "-i", self.x, "-o", self.path("no", "y.npy"))

    def test_compiler_that_is_missing_or_fails(self):
        missing = self.run_model(ENVIRONMENT, "--cxx", "no-such-compiler")
        self.assertIn("no-such-compiler", missing.err)
        failing = self.script("cxx", "echo 'boom: first line' >&2\nexit 7\n")
        failed = self.run_model(ENVIRONMENT, "--cxx", failing)
        self.assertIn("exited with status 7", failed.err)
        self.assertIn("boom: first line", failed.err)
        flags = self.run_model(ENVIRONMENT, "--cxxflags=--no-such-flag")
        self.assertIn("no-such-flag", flags.err)
        silent = self.script("quiet", "exit 0\n")
        self.assertIn("library", self.run_model(ENVIRONMENT, "--cxx", silent).err)

    def test_runner_that_is_missing_crashes_hangs_or_babbles(self):
        self.run_model(ENVIRONMENT, "--runner", "no-such-runner")
        crash = self.run_model(BUG, "--runner", self.script("crash", "echo help >&2\nread line\nkill -SEGV $$\n"))
        self.assertIn("SIGSEGV", crash.err)
        self.assertIn("help", crash.err)
        killed = self.run_model(ENVIRONMENT, "--runner", self.script("killed", "read line\nkill -KILL $$\n"))
        self.assertIn("SIGKILL", killed.err)
        ended = self.run_model(ENVIRONMENT, "--runner", self.script("ended", "read line\nexit 5\n"))
        self.assertIn("exited with status 5", ended.err)
        hung = self.run_model(ENVIRONMENT, "--timeout", "1", "--runner", self.script("hung", "exec sleep 100\n"), timeout=30)
        self.assertIn("hung", hung.err)
        babble = self.run_model(ENVIRONMENT, "--runner", self.script("babble", "read line\necho hello\nexec sleep 100\n"))
        self.assertIn("no JSON object", babble.err)
        refused = self.run_model(ENVIRONMENT, "--runner",
                                 self.script("no", 'read line\necho \'{"ok": false, "error": "not today"}\'\nexec cat >/dev/null\n'))
        self.assertIn("not today", refused.err)

    def test_foreign_target_needs_a_runner(self):
        foreign = self.run_model(ENVIRONMENT, "--target", "aarch64-linux-gnu")
        self.assertTrue("--runner" in foreign.err or "--cxx" in foreign.err, foreign.err)

    def test_nothing_is_left_behind(self):
        scratch = self.path("scratch")
        os.mkdir(scratch)
        env = {"TMPDIR": scratch}
        self.run_model(OK, env=env)
        os.remove(self.y)
        self.run_model(ENVIRONMENT, "--cxx", self.script("cxx", "exit 1\n"), env=env)
        slow = self.script("slow", '[ "$1" = --version ] && exit 0\ntrap "" TERM\necho started > "$0.mark"\nexec sleep 60\n')
        process = subprocess.Popen([RTMC, "run", self.model, "-i", self.x, "-o", self.y, "--runner", RUNNER, "--cxx", slow],
                                   env=dict(os.environ, **env), stderr=subprocess.DEVNULL)
        while not os.path.exists(slow + ".mark"):
            self.assertIsNone(process.poll())
        self.assertEqual(len(os.listdir(scratch)), 1)
        process.terminate()
        self.assertEqual(process.wait(timeout=20), -15)
        self.assertEqual(os.listdir(scratch), [])

    def test_a_compiler_and_its_children_end_with_rtmc(self):
        def running(pid):
            try:
                return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] != "Z"
            except FileNotFoundError:
                return False

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            mark = self.path(f"child-{int(number)}")
            forks = self.script("forks", f'[ "$1" = --version ] && exit 0\nsleep 60 &\necho $! > {mark}.new\n'
                                         f'mv {mark}.new {mark}\nwait\n')
            process = subprocess.Popen([RTMC, "run", self.model, "-i", self.x, "-o", self.y, "--runner", RUNNER, "--cxx", forks],
                                       stderr=subprocess.DEVNULL)
            while not os.path.exists(mark):
                self.assertIsNone(process.poll())
            child = int(read(mark))
            self.assertTrue(running(child))
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=20), -number)
            deadline = time.monotonic() + 20
            while running(child) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertFalse(running(child), number)

    def test_private_folder_without_room(self):
        self.run_model(ENVIRONMENT, env={"TMPDIR": self.path("none")})


if __name__ == "__main__":
    main()
