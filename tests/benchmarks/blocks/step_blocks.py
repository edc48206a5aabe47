#!/usr/bin/env python3
"""Where a step spends its time, block by block: nanoseconds of every product, gate and update of the generated code.

    step_blocks.py MODEL.yaml --rtmc build/release/bin/rtmc [--tiles] [--steps 50] [--rounds 400] [-- rtmc options]

Puts a reading of the processor's clock (rdtsc, x86 only) around each block of the generated phases, compiles it as `rtmc bench` does, and
prints the smallest mean over the rounds of each block, less what the reading itself takes. --tiles: around each run of a product
instead, summed by kernel and shape. The readings hinder the overlap of neighbouring blocks: the sum is a few per cent above a plain
step, which is printed beside it. Inputs are random and change with each step; one thread; weights on huge pages.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]

HEAD = """
#include <stdint.h>
static uint64_t block_ticks[4096];
static inline __attribute__((always_inline)) uint64_t block_clock() {
  uint32_t low, high;
  asm volatile("lfence\\n\\trdtsc\\n\\tlfence" : "=a"(low), "=d"(high)::"memory");
  return (uint64_t{high} << 32) | low;
}
struct BlockTimer {
  uint32_t index; uint64_t begin;
  __attribute__((always_inline)) explicit BlockTimer(uint32_t i) : index(i), begin(block_clock()) {}
  __attribute__((always_inline)) ~BlockTimer() { block_ticks[index] += block_clock() - begin; }
};
extern "C" uint64_t *step_block_ticks() { return block_ticks; }
"""

MAIN = """
#include "model.h"
#include <rtm/rtm.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>
extern "C" uint64_t *step_block_ticks();
int main(int, char **argv) {
  const size_t blocks = std::strtoul(argv[1], nullptr, 10), steps = std::strtoul(argv[2], nullptr, 10), rounds = std::strtoul(argv[3], nullptr, 10);
  const rtm_model *model = MODEL();
  rtm_model_info info{};
  info.size = sizeof info;
  rtm_weights *weights = nullptr;
  rtm_session *session = nullptr;
  if (rtm_model_describe(model, &info) || rtm_weights_create(model, &weights)) return 2;
  rtm_options options{};
  options.size = sizeof options;
  options.weights = weights;
  if (rtm_session_create(model, &options, &session)) return 2;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> in(info.inputs * steps), out(info.outputs * steps);
  for (float &x : in) x = normal(random);
  std::vector<double> best(blocks + 1, 1e30);
  double ticksPerNs = 0;
  for (size_t round = 0; round < rounds; round++) {
    std::memset(step_block_ticks(), 0, blocks * sizeof(uint64_t));
    unsigned low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    const uint64_t firstTick = (uint64_t{high} << 32) | low;
    const auto begin = std::chrono::steady_clock::now();
    if (rtm_run(session, in.data(), steps, out.data())) return 2;
    const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    ticksPerNs = double(((uint64_t{high} << 32) | low) - firstTick) / ns;
    for (size_t i = 0; i < blocks; i++) best[i] = std::min(best[i], double(step_block_ticks()[i]) / ticksPerNs / double(steps));
    best[blocks] = std::min(best[blocks], ns / double(steps));
  }
  for (double ns : best) std::printf("%.3f\\n", ns);
}
"""


def instrument(text, tiles):
    """-> (source with timers, names of the timed blocks). An empty block that is timed as well gives the cost of a reading."""
    names = ["(reading)"]
    lines, inside = [], None

    def timer(name):
        if name not in names:
            names.append(name)
        return f"BlockTimer timer({names.index(name)});"

    for line in re.sub(r"^(  multiply_\w+\([^;\n]*)\n +([^;\n]*;)$", r"\1 \2", text, flags=re.MULTILINE).split("\n"):  # calls of two lines
        begins = re.match(r"RTM_TARGET static void (phase|multiply)_(\w+)\(", line)
        if begins:
            inside = begins[1]
            lines.append(line)
            if inside == "phase":
                lines.append("  { BlockTimer timer(0); }")
            continue
        if line == "}":
            inside = None
        block = re.match(r"^  (?:  )?\{  // (\w+)", line)  # deeper: for each step of a chunk
        call = re.match(r"^  (multiply_(\w+)\(.*\);)$", line)
        run = re.match(r"^  ((\w+_[ud]\w*)\((.*)\);)$", line)
        if inside == "phase" and block:
            lines += [line, "    " + timer(block[1])]
        elif inside == "phase" and call and not tiles:
            lines.append("  { " + timer("product " + call[2]) + " " + call[1] + " }")
        elif inside == "multiply" and run and tiles:
            numbers = [a.strip() for a in run[3].split(",")]
            plain = [a for a in numbers if a.isdigit()]
            lines.append("  { " + timer(f"{run[2]} ({', '.join(plain)})") + " " + run[1] + " }")
        else:
            lines.append(line)
    source = "\n".join(lines)
    calls = {name: source.count(f"BlockTimer timer({i});") for i, name in enumerate(names)}
    return source.replace("\nnamespace {\n", HEAD + "\nnamespace {\n", 1), names, calls


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def measure(folder, source, name, count, arguments, flags):
    (folder / "timed.cpp").write_text(source)
    (folder / "main.cpp").write_text(MAIN.replace("MODEL()", f"{name}_model()"))
    program = folder / "timed"
    build = pathlib.Path(arguments.rtmc).resolve().parents[1]
    run([arguments.cxx, *flags, "-std=c++20", f"-I{ROOT / 'runtime/include'}", f"-I{folder}", str(folder / "timed.cpp"), str(folder / "main.cpp"),
         str(build / "runtime/librtm.a"), "-pthread", "-o", str(program)])
    return [float(t) for t in run([str(program), str(count), str(arguments.steps), str(arguments.rounds)]).split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rtmc", required=True)
    parser.add_argument("--cxx", default="clang++-19")
    parser.add_argument("--tiles", action="store_true")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=400)
    own, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    arguments = parser.parse_args(own.split())
    options = options.split()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        facts = json.loads(run([arguments.rtmc, arguments.model, "-o", str(folder / "model.cpp"), "--json", "--quiet", *options]))
        text = (folder / "model.cpp").read_text()
        plain = measure(folder, text.replace("\nnamespace {\n", HEAD + "\nnamespace {\n", 1), facts["name"], 1, arguments, ["-O2"])[-1]
        source, names, calls = instrument(text, arguments.tiles)
        times = measure(folder, source, facts["name"], len(names), arguments, ["-O2"])
    reading = times[0] / calls[names[0]]
    blocks = {name: (max(0.0, t - calls[name] * reading), calls[name]) for name, t in zip(names[1:], times[1:])}
    total = sum(t for t, _ in blocks.values())
    for name, (ns, count) in sorted(blocks.items(), key=lambda item: -item[1][0]):
        each = f"  {count} x {ns / count:.1f}" if count > 1 else ""
        print(f"{ns:9.1f} ns {100 * ns / total:5.1f} %  {name}{each}")
    print(f"{total:9.1f} ns together; {plain:.1f} ns a step without readings (one reading takes {reading:.1f} ns)")


if __name__ == "__main__":
    main()
