#include "backend/emit_runs.h"

#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace rtmc::backend {
namespace {

constexpr uint32_t kRunBytes = 20;  // sizeof(Run) in the generated source

void append32(std::vector<uint8_t> &out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

/// Short names for the tables of a matrix, as far as a kernel needs them.
void emitAliases(Text &out, const MatMulPlan &plan) {
  const auto anyKernel = [&](auto needs) { return std::any_of(plan.kernels.begin(), plan.kernels.end(), needs); };
  if (anyKernel([](const MatMulPlan::Kernel &k) { return !k.full && !k.shape.denseColumns; })) {
    out.line("const auto &columns = w.{};", plan.home->columns);
  }
  if (anyKernel([](const MatMulPlan::Kernel &k) { return k.shape.indexed; })) {
    out.line("const auto &rows = w.{};", plan.home->rows);
  }
}

/// For a chunk, a kernel that does not take all of its steps is called once for each.
bool byStep(const MatMulPlan &plan, const MatMulPlan::Kernel &kernel) {
  return plan.forChunk && kernel.options.chunk == Chunk::None;
}

/// Where a run's call reads and writes, behind the tables: of its own step, or of all steps of a chunk.
void addVectors(std::vector<std::string> &args, const MatMulPlan &plan, const MatMulPlan::Kernel &kernel,
                const std::string &column, const std::string &row) {
  const bool each = byStep(plan, kernel);
  args.push_back((each ? "x + step * xStride" : "x") + column);
  if (kernel.options.chunk != Chunk::None) args.push_back("xStride");
  args.push_back((each ? "y + step * yStride" : "y") + row);
  if (kernel.options.chunk != Chunk::None) args.insert(args.end(), {"yStride", "steps"});
}

/// A descriptor in the text, as `Run` in the generated source has it.
std::string runText(const RunCall &call) {
  return fmt::format("{{{}, {}, {}, {}, {}, {}, {}}}", call.value, call.column, call.row, call.rows, call.perEntry,
                     call.entries, call.kernel);
}
constexpr std::string_view kRunFields = "value, column, row, rows, values of an entry, entries, kernel";

/// The same as bytes, in the order of its fields.
void appendRun(std::vector<uint8_t> &out, const RunCall &call) {
  RTMC_CHECK(call.value <= ~0u && call.rows < (1u << 24) && call.perEntry < 256 && call.entries < (1u << 24),
             "a run does not fit its descriptor");
  for (const uint32_t field : {static_cast<uint32_t>(call.value), call.column, call.row}) append32(out, field);
  append32(out, call.rows | call.perEntry << 24);
  append32(out, call.entries | call.kernel << 24);
}

/// The descriptors as a table in the text.
void emitRuns(Text &out, std::string_view comment, const std::vector<std::string> &runs) {
  out.line("static constexpr Run kRuns[] = {{  // {}{}", comment, kRunFields);
  out.indent();
  appendList(out, runs);
  out.outdent();
  out.text("};");
}

/// The call of a run's kernel; step by step while the run's weights are near.
void emitKernelCall(Text &out, const MatMulPlan &plan, const MatMulPlan::Kernel &kernel,
                    const std::vector<std::string> &args) {
  const bool each = byStep(plan, kernel);
  if (each) {
    out.text("for (size_t step = 0; step < steps; step++) {");
    out.indent();
  }
  appendCall(out, kernel.name, args, ";");
  if (each) {
    out.outdent();
    out.text("}");
  }
}

/// The call of a kernel for several runs, whose descriptors begin at `runs`.
void emitJoinedCall(Text &out, const MatMulPlan &plan, const MatMulPlan::Kernel &kernel, const std::string &runs) {
  std::vector<std::string> args = {"values", "columns", runs};
  addVectors(args, plan, kernel, "", "");
  emitKernelCall(out, plan, kernel, args);
}

}  // namespace

bool joinsRuns(const MatMulPlan &plan) {
  return std::any_of(plan.kernels.begin(), plan.kernels.end(), [](const auto &kernel) { return kernel.joined != 0; });
}

std::string plus(std::string_view base, uint64_t offset) {
  return offset == 0 ? std::string(base) : fmt::format("{} + {}", base, offset);
}

void emitRunCalls(Text &out, const MatMulPlan &plan, uint32_t shares) {
  const WeightsHome &home = *plan.home;
  const auto emitShare = [&](uint32_t share) {
    if (home.values[share].empty()) return;
    out.line("const auto &values = w.{};", home.values[share]);
    std::vector<std::string> together;
    for (size_t i = 0; i < plan.calls.size(); ++i)
      if (const uint32_t runs = plan.calls[i].share == share ? plan.kernels[plan.calls[i].kernel].joined : 0; runs) {
        for (size_t j = i; j < i + runs; ++j) together.push_back(runText(plan.calls[j]));
        i += runs - 1;
      }
    if (!together.empty()) emitRuns(out, "multiplied together: ", together);
    size_t described = 0;
    for (size_t i = 0; i < plan.calls.size(); ++i) {
      const RunCall &call = plan.calls[i];
      if (call.share != share) continue;
      const MatMulPlan::Kernel &kernel = plan.kernels[call.kernel];
      if (kernel.joined) {
        emitJoinedCall(out, plan, kernel, plus("kRuns", described));
        described += kernel.joined;
        i += kernel.joined - 1;
        continue;
      }
      std::vector<std::string> args = {plus("values", call.value)};
      if (!kernel.full && !kernel.shape.denseColumns) args.push_back(plus("columns", call.column));
      if (!kernel.full && kernel.takesEntries) args.push_back(std::to_string(call.entries));
      if (!kernel.full && !kernel.shape.partial) args.push_back(std::to_string(call.tiles));
      addVectors(args, plan, kernel, plus("", kernel.shape.denseColumns && !kernel.full ? call.column : 0),
                 plus("", kernel.shape.indexed ? 0 : call.row));
      if (kernel.shape.indexed) args.push_back(plus("rows", call.row));
      if (kernel.takesRowCount()) args.push_back(std::to_string(call.rows));
      emitKernelCall(out, plan, kernel, args);
    }
  };
  emitAliases(out, plan);
  if (shares == 1) return emitShare(0);
  for (uint32_t share = 0; share < shares; ++share) {
    if (home.values[share].empty()) continue;
    out.line("if (share == {}) {{", share);
    out.indent();
    emitShare(share);
    out.outdent();
    out.text("}");
  }
}

void emitRunTable(Text &out, const MatMulPlan &plan, uint32_t shares, Layout &layout, RunTables &tables) {
  const WeightsHome &home = *plan.home;
  std::string table = "kRuns";
  emitAliases(out, plan);
  if (plan.calls.size() > kInlineRuns) {
    std::vector<uint8_t> bytes;
    for (const RunCall &call : plan.calls) appendRun(bytes, call);
    std::string &member = tables[std::string(bytes.begin(), bytes.end())];
    if (member.empty()) {
      member = layout.members.unique(home.name + "_runs");
      layout.blob.add("Run", kRunBytes, member, bytes, plan.weights->name);
    }
    table = "w." + member;
  } else {
    std::vector<std::string> items;
    for (const RunCall &call : plan.calls) items.push_back(runText(call));
    emitRuns(out, "", items);
  }
  const bool joined = joinsRuns(plan);
  if (shares == 1) {
    out.line("const unsigned char *const values = w.{};", home.values[0]);
    if (joined) {
      out.line("for (uint32_t i = 0; i < {};) {{", plan.calls.size());
      out.line("  const Run &run = {}[i];", table);
    } else {
      out.line("for (const Run &run : {}) {{", table);
    }
  } else {
    std::vector<std::string> pointers, begins;
    size_t begin = 0;
    for (uint32_t share = 0; share < shares; ++share) {
      pointers.push_back(home.values[share].empty() ? "nullptr" : "w." + home.values[share]);
      begins.push_back(std::to_string(begin));
      while (begin < plan.calls.size() && plan.calls[begin].share == share) ++begin;
    }
    begins.push_back(std::to_string(begin));
    out.line("static constexpr uint32_t kShareRuns[] = {{{}}};", fmt::join(begins, ", "));
    out.line("const unsigned char *const shareValues[] = {{{}}};", fmt::join(pointers, ", "));
    out.text("const unsigned char *const values = shareValues[share];");
    out.line("for (uint32_t i = kShareRuns[share]; i < kShareRuns[share + 1];{}) {{", joined ? "" : " i++");
    out.line("  const Run &run = {}[i];", table);
  }
  out.indent();
  const auto emitCall = [&](const MatMulPlan::Kernel &kernel) {
    if (kernel.joined) {
      emitJoinedCall(out, plan, kernel, table + " + i");
      return;
    }
    std::vector<std::string> args = {"values + run.value"};
    if (!kernel.shape.denseColumns) args.push_back("columns + run.column");
    if (kernel.takesEntries) args.push_back("run.entries");
    const uint32_t rows = kernel.shape.rows();
    if (!kernel.shape.partial) {
      const std::string up = kernel.shape.indexed && rows > 1 ? fmt::format("(run.rows + {})", rows - 1) : "run.rows";
      args.push_back(rows == 1 ? up : fmt::format("{} / {}", up, rows));
    }
    addVectors(args, plan, kernel, kernel.shape.denseColumns ? " + run.column" : "",
               kernel.shape.indexed ? "" : " + run.row");
    if (kernel.shape.indexed) args.push_back("rows + run.row");
    if (kernel.takesRowCount()) args.push_back("run.rows");
    emitKernelCall(out, plan, kernel, args);
  };
  if (plan.kernels.size() == 1) {
    emitCall(plan.kernels[0]);
  } else {
    out.text("switch (run.kernel) {");
    out.indent();
    for (size_t k = 0; k < plan.kernels.size(); ++k) {
      out.line("case {}:", k);
      out.indent();
      emitCall(plan.kernels[k]);
      if (joined) out.line("i += {};", std::max(1u, plan.kernels[k].joined));
      out.text("break;");
      out.outdent();
    }
    out.text("default: __builtin_unreachable();");
    out.outdent();
    out.text("}");
  }
  out.outdent();
  out.text("}");
}

}  // namespace rtmc::backend
