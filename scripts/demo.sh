#!/usr/bin/env bash
# demo.sh [--precision f32|f16|bf16]: installs, builds, compiles a real pruned network, checks the generated code against the
# interpreter, and times it beside its dense form and beside ONNX Runtime where that can be had. The network is Lyra's GRU where
# ../shared/models/lyra_wavegru is, else RTMobile's reference network at 10x. Files stay in build/demo.
source "$(dirname "$0")/common.sh"
precision=f16
case ${1:-} in
  '') ;;
  --precision) precision=${2:?a precision is missing} ;;
  *) fail "unknown argument '$1'; --precision is known" ;;
esac

scripts/setup.sh
say "building rtmc"
build release rtmc rtmc-runner rtm
rtmc=$root/build/release/bin/rtmc
python=$(numpy_python)

lyra=$root/../shared/models/lyra_wavegru
if [ -f "$lyra/lyra_16khz_gru_layer_weights.raw.gz" ]; then
  say "the network: Lyra's WaveGRU (1024 units, pruned by its authors) with its projection"
  "$python" -B examples/lyra_gru/make_models.py "$lyra" --out build/demo
  model=build/demo/lyra_gru/model.yaml
  dense=(--inputs 1028 --units 1024 --layers 1 --reset after --linear 512)
else
  say "the network: RTMobile's reference network at 10x ($lyra is not here)"
  "$python" -B examples/rtmobile_gru/make_model.py --rate 10 --out build/demo/rtmobile_gru_10
  model=build/demo/rtmobile_gru_10/model.yaml
  dense=(--inputs 39 --units 1024 --layers 2 --reset before)
fi

say "what rtmc found in it"
"$rtmc" inspect "$model" --precision "$precision"
say "compile to C++"
"$rtmc" "$model" -o build/demo/kernel.cpp --precision "$precision"
ls -l build/demo/kernel.cpp build/demo/kernel.h
say "check the generated code"
"$rtmc" verify "$model" --precision "$precision"
say "time it beside its dense form (50 steps a call, one thread)"
"$rtmc" bench "$model" --precision "$precision" --against dense --steps-per-call 50 --json > build/demo/bench.json

ort=0
if ort_python=$(scripts/python_env.sh "$root/build/release/venv"); then
  ort=$("$ort_python" -B scripts/onnxruntime_dense.py "${dense[@]}" --steps 50)
fi
"$python" - "$ort" << 'PYTHON'
import json
import sys

bench = json.load(open("build/demo/bench.json"))
ours, dense, ort = bench["step_us_min"], bench["dense"]["step_us_min"], float(sys.argv[1])
print(f"pruned, rtmc {bench['precision']}:         {ours:9.2f} us per step, roofline share {bench['roofline_share']:.2f}")
print(f"dense, rtmc {bench['precision']}:          {dense:9.2f} us per step: pruned is {dense / ours:.1f} x as fast")
if ort:
    print(f"dense, ONNX Runtime f32: {ort:9.2f} us per step: pruned is {ort / ours:.1f} x as fast")
else:
    print("ONNX Runtime is not installed here: no comparison with it")
PYTHON
