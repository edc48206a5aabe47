#!/usr/bin/env bash
# demo.sh [--precision f32|f16|bf16] [--network NAME]: installs, builds, compiles a phone recogniser that was pruned on real speech
# (examples/phones), checks the generated code against the interpreter, recognises real utterances with it, and times it beside its dense
# form and beside ONNX Runtime where that can be had. Files stay in build/demo.
source "$(dirname "$0")/common.sh"
precision=bf16 network=phones10
while [ $# -gt 0 ]; do
  case $1 in
    --precision) precision=${2:?a precision is missing} ;;
    --network) network=${2:?a network is missing} ;;
    *) fail "unknown argument '$1'; --precision and --network are known" ;;
  esac
  shift 2
done
model=examples/phones/model/$network.yaml
[ -f "$model" ] || fail "$model is missing; there are: $(cd examples/phones/model && echo *.yaml)"

scripts/setup.sh
say "building rtmc"
build release rtmc rtmc-runner rtm
rtmc=$root/build/release/bin/rtmc
python=$(numpy_python)
mkdir -p build/demo

say "what rtmc found in $model"
"$rtmc" inspect "$model" --precision "$precision"
say "compile to C++"
"$rtmc" "$model" -o build/demo/kernel.cpp --precision "$precision"
ls -l build/demo/kernel.cpp build/demo/kernel.h
say "check the generated code"
"$rtmc" verify "$model" --precision "$precision"

say "recognise: real utterances of speakers that it was not trained on, and what was said after the dictionary"
cmake --install build/release --prefix build/demo/prefix > build/demo/install.log
cmake -S examples/phones -B build/demo/phones -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$root/build/demo/prefix" \
  -DEXAMPLE_PYTHON="$python" -DPHONES_NETWORKS="$network" -DPHONES_PRECISION="$precision" > build/demo/phones.log
nice -n 5 cmake --build build/demo/phones >> build/demo/phones.log || fail "the example was not built: build/demo/phones.log"
"build/demo/phones/recognize_$network"

say "time it beside its dense form (one step a call, one thread)"
"$rtmc" bench "$model" --precision "$precision" --against dense --json > build/demo/bench.json
ort=0
if ort_python=$(scripts/python_env.sh "$root/build/release/venv"); then
  read -r -a shape <<< "$("$python" -c 'import json, sys; network = json.load(open(sys.argv[1]))[sys.argv[2]]["network"]
print(*(f"--{key} {value}" for key, value in network.items()))' examples/phones/model/card.json "$network")"
  ort=$("$ort_python" -B scripts/onnxruntime_dense.py "${shape[@]}" --steps 1)
fi
"$python" - "$ort" << 'PYTHON'
import json
import sys

bench = json.load(open("build/demo/bench.json"))
ours, dense, ort = bench["step_us_min"], bench["dense"]["step_us_min"], float(sys.argv[1])
print(f"pruned, rtmc {bench['precision']}:         {ours:9.2f} us per step of 30 ms, roofline share {bench['roofline_share']:.2f}")
print(f"dense, rtmc {bench['precision']}:          {dense:9.2f} us per step: pruned is {dense / ours:.1f} x as fast")
if ort:
    print(f"dense, ONNX Runtime f32: {ort:9.2f} us per step: pruned is {ort / ours:.1f} x as fast")
else:
    print("ONNX Runtime is not installed here: no comparison with it")
PYTHON
