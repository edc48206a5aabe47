"""The installed package: find_package, add_subdirectory, rebuilding exactly when needed, and AArch64 under qemu."""
import os
import shutil
import subprocess
import time

from harness import BINARY_DIR, Case, RTMC, SOURCE_DIR, gru_reference, gru_weights, main, random_rows, read, safetensors

MAIN = r"""
#include <stdio.h>
#include <rtm/rtm.h>
#include "net.h"
int main(int argc, char **argv) {
  rtm_model_info info = {sizeof info};
  if (rtm_model_describe(net_model(), &info) != RTM_OK) return 1;
  rtm_session *session;
  if (rtm_session_create(net_model(), NULL, &session) != RTM_OK) return 2;
  float in[64], out[64];
  FILE *file = fopen(argv[argc - 1], "r");
  if (!file) return 3;
  for (;;) {
    for (uint32_t i = 0; i < info.inputs; ++i)
      if (fscanf(file, "%f", &in[i]) != 1) {
        rtm_session_destroy(session);
        return fclose(file);
      }
    if (rtm_step(session, in, out) != RTM_OK) return 4;
    for (uint32_t i = 0; i < info.outputs; ++i) printf("%.9g ", out[i]);
    printf("\n");
  }
}
"""


def run(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done.stdout + done.stderr


class CMake(Case):
    @classmethod
    def setUpClass(cls):
        cls.prefix = os.path.join(BINARY_DIR, "tests", "end_to_end", "prefix")
        shutil.rmtree(cls.prefix, ignore_errors=True)
        run(["cmake", "--install", BINARY_DIR, "--prefix", cls.prefix])

    def project(self, how, arguments="", extra=""):
        """A consumer's project in self.dir/app; `how`: find_package or add_subdirectory line."""
        self.rows = random_rows(6, 6)
        self.write("app/rows.txt", "\n".join(" ".join(f"{v:.9g}" for v in r) for r in self.rows))
        self.weights = gru_weights(24, 6, 0.3, 1, 5)
        saved, self.dir = self.dir, self.path("app", "model dir")
        os.makedirs(self.dir, exist_ok=True)
        self.gru()
        self.dir = saved
        self.write("app/main.c", MAIN)
        self.write("app/CMakeLists.txt", f"""cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES C CXX)
{how}
rtmc_add_model(net MODEL "model dir/net.yaml" {arguments})
add_executable(app main.c)
target_link_libraries(app PRIVATE net)
{extra}""")
        return self.path("app")

    def configure(self, *options, generator="Ninja", build="build"):
        folder = self.path(build)
        run(["cmake", "-G", generator, "-S", self.path("app"), "-B", folder, *options])
        return folder

    def build(self, folder):
        return run(["cmake", "--build", folder])

    def check_output(self, command, tolerance=2e-6):
        lines = run([*command, self.path("app", "rows.txt")]).splitlines()
        got = [[float(v) for v in line.split()] for line in lines]
        expected = gru_reference(self.weights, self.rows, 24)
        self.assertEqual(len(got), len(expected))
        worst = max(abs(a - b) for g, e in zip(got, expected) for a, b in zip(g, e))
        self.assertLess(worst, tolerance)

    def find(self):
        self.project("find_package(rtmc CONFIG REQUIRED)", "BACKEND cpp PRECISION f32 THREADS 2 UNROLL auto")
        return f"-DCMAKE_PREFIX_PATH={self.prefix}"

    def test_find_package_with_both_generators(self):
        option = self.find()
        for generator in ("Ninja", "Unix Makefiles"):
            folder = self.configure(option, generator=generator, build=generator.split()[0])
            self.build(folder)
            self.check_output([os.path.join(folder, "app")])

    def test_installed_rtmc_works_alone(self):
        self.find()
        program = os.path.join(self.prefix, "bin", "rtmc")
        model = self.path("app", "model dir", "net.yaml")
        self.assertIn("net: ok", run([program, "verify", model, "--steps", "2"]))
        self.assertFalse(os.path.islink(os.path.join(self.prefix, "include", "rtm")))

    def test_version_is_checked(self):
        option = self.find()
        text = read(self.path("app/CMakeLists.txt"))
        self.write("app/CMakeLists.txt", text.replace("find_package(rtmc ", "find_package(rtmc 99.0 "))
        with self.assertRaises(AssertionError) as failed:
            self.configure(option)
        self.assertIn("99.0", str(failed.exception))

    def test_wrong_arguments_are_errors_of_configuring(self):
        option = self.find()
        for bad, text in (("PRECISON f16", "unknown arguments"), ("PRECISION", "without a value")):
            self.project("find_package(rtmc CONFIG REQUIRED)", bad)
            with self.assertRaises(AssertionError) as failed:
                self.configure(option, build="bad")
            self.assertIn(text, str(failed.exception))

    def test_rebuilds_exactly_when_needed(self):
        # A copy of rtmc, so that touching it harms nobody. It finds the runtime's headers beside its folder.
        own = self.path("own", "bin")
        os.makedirs(own)
        shutil.copy2(os.path.join(self.prefix, "bin", "rtmc"), own)
        shutil.copytree(os.path.join(self.prefix, "include"), self.path("own", "include"))
        tuning = self.write("tune.jsonl", '{"pattern": "0123456789abcdef", "schedule": {"format": "dense", "lanes": "rows8", "tile": 8}}\n')
        option = self.find()
        self.project("find_package(rtmc CONFIG REQUIRED)", f"TUNING {tuning}")
        for generator in ("Ninja", "Unix Makefiles"):
            folder = self.configure(option, f"-DRTMC_EXECUTABLE={own}/rtmc", generator=generator, build=generator.split()[0])
            ran = lambda: "rtmc: compiling" in self.build(folder)
            self.assertTrue(ran())
            self.assertFalse(ran(), "nothing has changed")
            for path in ("app/model dir/net.yaml", "app/model dir/net.safetensors", "tune.jsonl", "own/bin/rtmc"):
                time.sleep(0.05)
                os.utime(self.path(path))
                self.assertTrue(ran(), path)
                self.assertFalse(ran(), f"again after {path}")
            os.utime(self.path("app/main.c"))
            self.assertFalse(ran(), "main.c is not the model's")
            self.check_output([os.path.join(folder, "app")])
            # New weights are new numbers, not only a rule that ran.
            self.weights = gru_weights(24, 6, 0.3, 9, 5)
            self.write("app/model dir/net.safetensors", safetensors(self.weights))
            self.assertTrue(ran())
            self.check_output([os.path.join(folder, "app")])

    def test_a_broken_model_fails_the_build_with_its_message(self):
        option = self.find()
        folder = self.configure(option)
        self.build(folder)
        model = self.path("app", "model dir", "net.yaml")
        text = read(model)
        self.write(model, text.replace("size: 24", "size: 23"))
        with self.assertRaises(AssertionError) as failed:
            self.build(folder)
        self.assertIn("[weight-shape]", str(failed.exception))
        self.write(model, text)
        self.build(folder)
        self.check_output([os.path.join(folder, "app")])

    def test_weights_in_a_blob(self):
        option = self.find()
        self.project("find_package(rtmc CONFIG REQUIRED)", "WEIGHTS blob PRECISION f16 OPTIONS --no-permute")
        folder = self.configure(option)
        self.build(folder)
        self.check_output([os.path.join(folder, "app")], 3e-3)
        os.utime(self.path("app/model dir/net.safetensors"))
        self.assertIn("rtmc: compiling", self.build(folder))

    def test_add_subdirectory(self):
        # The compiler is not built a second time: RTMC_EXECUTABLE stands for it, the runtime is this tree's.
        self.project(f'add_subdirectory("{SOURCE_DIR}" rtmc)')
        folder = self.configure("-DRTMC_BUILD_COMPILER=OFF", f"-DRTMC_EXECUTABLE={RTMC}")
        self.build(folder)
        self.check_output([os.path.join(folder, "app")])
        self.assertFalse(os.path.exists(os.path.join(folder, "rtmc", "cmake_install.cmake"))
                         and "rtmcConfig" in read(os.path.join(folder, "rtmc", "cmake_install.cmake")))

    def test_in_a_project_written_in_c(self):
        option = self.find()
        text = read(self.path("app/CMakeLists.txt"))
        self.write("app/CMakeLists.txt", text.replace("LANGUAGES C CXX", "LANGUAGES C"))
        folder = self.configure(option)
        self.build(folder)
        self.check_output([os.path.join(folder, "app")])

    def test_aarch64_under_qemu(self):
        for program in ("aarch64-linux-gnu-g++", "qemu-aarch64"):
            if not shutil.which(program):
                self.skipTest(f"{program} is not installed")
        option = self.find()
        toolchain = os.path.join(self.prefix, "lib", "cmake", "rtmc", "toolchains", "aarch64-linux-gnu.cmake")
        if not os.path.exists(toolchain):
            toolchain = os.path.join(SOURCE_DIR, "cmake", "toolchains", "aarch64-linux-gnu.cmake")
        folder = self.configure(option, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
        self.build(folder)
        self.assertIn("aarch64", read(os.path.join(folder, "net_rtmc", "net.cpp")))
        self.check_output(["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", os.path.join(folder, "app")])

    def test_runner_for_aarch64(self):
        """rtmc verify for a foreign target: cross-built library, cross-built runner under qemu."""
        for program in ("aarch64-linux-gnu-g++", "qemu-aarch64"):
            if not shutil.which(program):
                self.skipTest(f"{program} is not installed")
        folder = self.path("foreign")
        run(["cmake", "-G", "Ninja", "-S", SOURCE_DIR, "-B", folder, "-DRTMC_BUILD_COMPILER=OFF", "-DRTMC_BUILD_TESTS=OFF",
             f"-DCMAKE_TOOLCHAIN_FILE={SOURCE_DIR}/cmake/toolchains/aarch64-linux-gnu.cmake"])
        run(["cmake", "--build", folder, "--target", "rtmc-runner"])
        model = self.gru()
        runner = f"qemu-aarch64 -L /usr/aarch64-linux-gnu {folder}/bin/rtmc-runner"
        for cpu, precision in (("generic", "f32"), ("cortex-a76", "f16"), ("generic", "bf16")):
            report = run([RTMC, "verify", model, "--target", "aarch64-linux-gnu", "--cpu", cpu, "--precision", precision,
                          "--steps", "3", "--runner", runner])
            self.assertIn("net: ok", report)


if __name__ == "__main__":
    main()
