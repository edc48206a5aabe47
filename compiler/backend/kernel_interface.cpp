#include "backend/kernel_interface.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::backend {

std::string kernelTitle(const KernelFacts &f) {
  std::string text = fmt::format(
      "/// {} of {} weights in {} of {}",
      f.shape.rows() == 1 ? "1 row" : fmt::format("{} rows", f.shape.rows() - f.lanes + f.lanesOf(f.shape.vectors - 1)),
      f.half ? "f16" : precisionName(f.plan.precision),
      f.shape.vectors == 1 ? "1 vector" : fmt::format("{} vectors", f.shape.vectors), f.lanes);
  if (f.shape.width > 1) text += fmt::format(", {} columns by {} rows each", f.shape.width, f.lanes / f.shape.width);
  if (f.plan.halfLast) text += fmt::format(", the last of {}", f.lanes / 2);
  if (f.half)
    text += fmt::format(
        ".\n/// Four entries at a time are summed in half precision, then added to one of {} sums in f32.", f.chains);
  else
    text += fmt::format(".\n/// Entry k goes to sum k mod {}: {} sums per row hide the latency of the multiply-add.",
                        f.chains, f.chains);
  if (f.plan.joined) text += fmt::format("\n/// {} runs of equally many entries at once.", f.plan.joined);
  if (f.plan.steps > 1) text += fmt::format("\n/// {} steps at once, and the rest one by one.", f.plan.steps);
  if (f.plan.sumBySum) text += "\n/// Sum by sum, so that so many steps' sums stay in registers.";
  if (f.shape.gather) text += "\n/// Every lane has a column of its own.";
  return text;
}

std::string kernelParameters(const KernelFacts &f) {
  std::vector<std::string> list = {"const unsigned char *values"};
  if (!f.shape.denseColumns && !f.plan.columns)
    list.push_back(fmt::format("const {} *columns", indexType(f.plan.columnWidth)));
  if (!f.plan.entries) list.push_back("uint32_t entries");
  if (!f.plan.tiles && !f.shape.partial) list.push_back("uint32_t tiles");
  list.push_back(f.half ? "const rtm::simd::f16 *x" : "const float *x");
  if (f.plan.steps > 1) list.push_back("size_t xStride");
  list.push_back("float *y");
  if (f.plan.steps > 1) list.insert(list.end(), {"size_t yStride", "size_t steps"});
  if (f.shape.indexed) list.push_back(fmt::format("const {} *rows", indexType(f.plan.rowWidth)));
  if (f.shape.indexed || f.shape.partial) list.push_back("uint32_t rowCount");
  std::string text, line;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string item = list[i] + (i + 1 < list.size() ? "," : "");
    if (!line.empty() && line.size() + item.size() > 112) text += line + "\n", line.clear();
    line += (line.empty() ? "" : " ") + item;
  }
  text += line;
  // The template closes the list on its own line's end.
  return text + ") {";
}

std::string kernelUsing(const KernelFacts &f) {
  std::vector<std::string> names = {f.vectorType()};
  if (f.half)
    for (const char *n : {"f16", "fma", "loadHalves", "splatHalf", "widen"}) names.push_back(n);
  else
    names.push_back("fma");
  if (f.half)
    for (uint32_t first = 0; first < f.shape.vectors; first += 2) {
      const uint32_t pass = first / kVectorsPerPass * kVectorsPerPass;
      const std::string type = f.halfType(first, std::min(f.shape.vectors, pass + kVectorsPerPass));
      if (std::find(names.begin(), names.end(), type) == names.end()) names.push_back(type);
    }
  if (f.plan.halfLast) {
    names.insert(names.end(), {fmt::format("f32x{}", f.lanes / 2), "lowHalf"});
    if (f.bf16) names.push_back(fmt::format("u32x{}", f.lanes / 2));
  }
  if (f.bf16) names.insert(names.end(), {"highBf16", "loadOnce", "lowBf16", fmt::format("u32x{}", f.lanes)});
  if (f.plan.precision == Precision::F16 && !f.half) names.push_back("loadHalf");
  names.push_back("load");
  if (!f.half && !f.shape.gather) names.push_back("broadcast");
  if (f.shape.gather && !f.plan.columns) names.push_back("gather");
  if (f.shape.width > 1) names.push_back("fold");
  if (f.shape.width > 1 && f.shape.width < f.lanes) names.push_back("inRowOrder");
  if (f.plan.joined && f.shape.width > 1) names.push_back(fmt::format("f32x{}", std::max(4u, f.lanes / f.shape.width)));
  if (f.lastGroup() != f.shape.width && !f.shape.indexed) names.push_back("addFirst");
  if (f.shape.partial && !f.shape.indexed) names.push_back("addUpTo");
  if (f.asksAhead()) names.push_back("prefetch");
  names.push_back("store");
  std::sort(names.begin(), names.end());
  std::string text, line = "using ";
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string item = "rtm::simd::" + names[i] + (i + 1 < names.size() ? "," : ";");
    if (line.size() + item.size() > 112) text += line + "\n", line = "   ";
    line += (line == "using " ? "" : " ") + item;
  }
  return text + line;
}

}  // namespace rtmc::backend
