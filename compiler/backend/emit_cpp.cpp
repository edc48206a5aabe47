#include "backend/emit_cpp.h"

#include "backend/emit_matmul.h"
#include "backend/emit_phases.h"
#include "backend/emit_tables.h"
#include "backend/kernel_text.h"
#include "backend/kernels.h"
#include "backend/target.h"
#include "backend/templates.h"
#include "support/check.h"
#include "support/hash.h"

#include <fmt/format.h>
#include <rtm/abi.h>

#include <algorithm>

namespace rtmc::backend {
namespace {

/// Names of kernel.cpp's companions.
struct OutputNames {
  std::string directory, stem;
  explicit OutputNames(const std::string &path) {
    const size_t slash = path.find_last_of('/');
    directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
    stem = slash == std::string::npos ? path : path.substr(slash + 1);
    if (const size_t dot = stem.find_last_of('.'); dot != std::string::npos && dot != 0) stem.resize(dot);
  }
  std::string header() const { return stem + ".h"; }
  std::string weights() const { return stem + ".weights"; }
};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

std::string withoutLastBreaks(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

bool usesHalf(const ir::Program &program, const Layout &layout) {
  for (ir::Id id = 0; id < program.weights.size(); ++id) {
    if (layout.weights[id].used && program.weights[id].schedule.accumulate == ir::Accumulate::F16x4) return true;
  }
  return false;
}

bool hasHalfBuffers(const Layout &layout) {
  return std::any_of(layout.buffers.begin(), layout.buffers.end(),
                     [](const BufferHome &home) { return home.half && home.home != Home::Unused; });
}

std::string_view simdMacro(Isa isa) {
  switch (isa) {
    case Isa::Portable:
      return "RTM_SIMD_SCALAR";
    case Isa::Sse2:
      return "RTM_SIMD_SSE2";
    case Isa::Avx2:
      return "RTM_SIMD_AVX2";
    case Isa::Avx512:
    case Isa::Avx512Fp16:
      return "RTM_SIMD_AVX512";
    case Isa::Neon:
    case Isa::NeonFp16:
      return "RTM_SIMD_NEON";
  }
  return "RTM_SIMD_SCALAR";
}

/// The instruction set without what the program does not use, so that it runs on more machines.
uint32_t neededFeatures(const Target &target, bool half) {
  return half ? target.cpuFeatures : target.cpuFeatures & ~uint32_t{RTM_CPU_AVX512FP16 | RTM_CPU_NEON_FP16};
}

/// How the source comes to the packed bytes: a literal at its end, or a file that the assembler includes.
struct WeightsText {
  std::string declaration, pointer, definition;
};

WeightsText literalWeights(std::span<const uint8_t> bytes) {
  WeightsText out;
  out.declaration = fmt::format(
      "/// The same bytes as a literal of words, at the end of this file; one word more for the literal's terminator.\n"
      "alignas(64) extern const char32_t kWeights[{}];\n",
      bytes.size() / 4 + 1);
  out.pointer = "reinterpret_cast<const unsigned char *>(kWeights)";
  out.definition = fmt::format("{}\nnamespace {{\nalignas(64) const char32_t kWeights[{}] =\n", weightsMarker(),
                               bytes.size() / 4 + 1);
  appendWordLiteral(out.definition, bytes);
  out.definition.insert(out.definition.size() - 1, ";");
  out.definition += "}  // namespace\n";
  return out;
}

WeightsText fileWeights(const std::string &model, const std::string &file, uint64_t bytes) {
  WeightsText out;
  const std::string macro = upper(model) + "_WEIGHTS_FILE";
  const std::string symbol = "rtmc_" + model + "_weights";
  out.declaration = fmt::format(
      "}}  // namespace\n\n"
      "/// The bytes lie in a file that the assembler looks for where -I points.\n"
      "#ifndef {0}\n#define {0} \"{1}\"\n#endif\n"
      "#ifdef __APPLE__\n#define RTM_WEIGHTS_SECTION \".section __TEXT,__const\\n\"\n#else\n"
      "#define RTM_WEIGHTS_SECTION \".section .rodata\\n\"\n#endif\n"
      "__asm__(RTM_WEIGHTS_SECTION \".balign 64\\n{2}:\\n.incbin \\\"\" {0} \"\\\"\\n.text\\n\");\n"
      "extern \"C\" __attribute__((visibility(\"hidden\"))) const unsigned char {2}_bytes[{3}] __asm__(\"{2}\");\n\n"
      "namespace {{\n",
      macro, file, symbol, bytes);
  out.pointer = symbol + "_bytes";
  return out;
}

std::string targetTitle(const Target &target) {
  return fmt::format("{}, {} ({})", target.triple, target.cpu, isaTitle(target.isa));
}

bool targetServes(const ir::Program &program, const Target &target, Diagnostics &diagnostics) {
  if (!checkPrecision(target, program, diagnostics)) return false;
  for (const ir::Weights &weights : program.weights) {
    if (!weights.packed) continue;
    for (const ir::TileShape &shape : weights.packed->shapes) {
      const bool fits = shape.lanes <= target.traits.lanes;
      if (fits && hasKernel(shape, weights.packed->precision, weights.schedule.accumulate)) continue;
      // Only IR that was packed for another processor, or edited, brings this.
      const std::string wrong =
          fits ? fmt::format(
                     "in tiles of {}, for which there is no kernel",
                     ir::kernelName(weights.packed->precision, weights.schedule.accumulate, shape, ir::Unroll::None))
               : fmt::format("for vectors of {} floats; {} has {}", shape.lanes, target.cpu, target.traits.lanes);
      diagnostics.error("ir-file", {}, fmt::format("'{}' is packed {}", weights.name, wrong));
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view weightsMarker() {
  return "// ---- weights: little-endian words of struct Weights";
}

std::vector<std::string> compileFlags() {
  return {"-std=c++20",     "-O2", "-fPIC", "-shared", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
          "-Wl,--as-needed"};
}

std::optional<passes::TargetTraits> CppBackend::traits(const std::string &triple, const std::string &cpu, Precision,
                                                       Diagnostics &diagnostics) const {
  const auto target = resolveTarget(triple, cpu, diagnostics);
  if (!target) return std::nullopt;
  return target->traits;
}

std::optional<Emitted> CppBackend::emit(const ir::Program &program, const EmitOptions &options,
                                        Diagnostics &diagnostics) const {
  const auto target = resolveTarget(program.target, program.cpu, diagnostics);
  if (!target) return std::nullopt;
  Layout layout = makeLayout(program);
  if (!targetServes(program, *target, diagnostics)) return std::nullopt;

  const MatMulEmitter matMuls(program, layout, *target, options, diagnostics);
  const PhaseEmitter phases(program, layout, target->traits.lanes, matMuls);
  if (layout.blob.bytes().empty()) {
    const std::vector<uint8_t> none(64);
    layout.blob.add("unsigned char", 1, "none", none, "");
  }
  layout.blob.finish();
  const std::vector<uint8_t> &bytes = layout.blob.bytes();

  const OutputNames names(options.outputPath);
  const WeightsText weights =
      options.weightsBlob ? fileWeights(program.name, names.weights(), bytes.size()) : literalWeights(bytes);
  const ModelTables tables = modelTables(program, layout, phases.names());
  const bool half = usesHalf(program, layout);
  const bool halfBuffers = hasHalfBuffers(layout);
  const HelperUse &use = phases.helpers();
  RTMC_CHECK(program.shapeHash.size() <= 16, "a shape hash has 16 digits");

  Emitted out;
  TemplateValue values;
  values["banner"] = banner(program, layout, targetTitle(*target));
  values["simd"] = std::string(simdMacro(target->isa));
  values["half"] = half;
  values["header"] = names.header();
  values["abi"] = uint32_t{RTM_ABI_VERSION};
  values["half_type"] = halfBuffers ? (half ? "rtm::simd::f16" : "uint16_t") : "";
  values["use_runs"] = matMuls.usesRunTable();
  values["use_vectors"] = use.vectors;
  values["use_half"] = use.vectors && halfBuffers;
  values["use_gather"] = use.gather;
  values["use_scatter"] = use.scatter;
  values["use_softmax"] = use.softmax;
  values["use_steprows"] = use.stepRows;
  values["weights_members"] = weightsMembers(layout);
  values["weight_bytes"] = uint64_t{bytes.size()};
  values["weights_declaration"] = weights.declaration;
  values["buffers_members"] = buffersMembers(program, layout);
  values["accessors"] = accessors(layout);
  values["constants"] = constantArrays(program, layout);
  values["kernels"] = withoutLastBreaks(matMuls.kernels());
  values["functions"] = withoutLastBreaks(matMuls.functions());
  values["phases"] = withoutLastBreaks(phases.text());
  values["tables"] = tables.text;
  values["numbers"] = tables.numbers;
  values["name"] = program.name;
  values["precision"] = std::string(precisionName(program.precision));
  values["cpu"] = target->cpu;
  values["inputs"] = layout.inputs;
  values["outputs"] = layout.outputs;
  values["shares"] = program.shares;
  values["causal"] = program.causal ? "1" : "0";
  values["chunk"] = program.chunk;
  values["cpu_features"] = fmt::format("{:#x}", neededFeatures(*target, half));
  values["shape_hash"] = program.shapeHash.empty() ? "0" : program.shapeHash;
  values["weights_hash"] = hex16(hash64(bytes));
  values["weights_pointer"] = weights.pointer;
  values["step_bytes"] = layout.stepBytes;
  values["phase_count"] = uint64_t{phases.names().size()};
  values["section_count"] = uint64_t{program.sections.size()};
  values["states"] = tables.stateCount == 0 ? "nullptr" : "kStates";
  values["state_count"] = tables.stateCount;
  values["init_count"] = tables.initCount;
  values["inits"] = tables.initCount == 0 ? "nullptr" : "kInits";
  values["version"] = RTMC_VERSION;
  values["guard"] = upper(program.name) + "_MODEL_H";
  values["macro"] = upper(program.name);
  std::string source = renderTemplate("cpp/model.cpp", values);
  out.codeBytes = source.size();
  if (!weights.definition.empty()) source += '\n' + weights.definition;
  out.files.push_back({options.outputPath, std::move(source)});
  out.files.push_back({names.directory + names.header(), renderTemplate("cpp/model.h", values)});
  if (options.weightsBlob) {
    out.files.push_back({names.directory + names.weights(), std::string(bytes.begin(), bytes.end())});
  }
  return out;
}

const Backend *findBackend(std::string_view name) {
  static const CppBackend cpp;
  return name == cpp.name() ? &cpp : nullptr;
}

std::vector<std::string> backendNames() {
  return {"cpp"};
}

}  // namespace rtmc::backend
