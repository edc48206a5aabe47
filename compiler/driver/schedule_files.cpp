#include "driver/schedule_files.h"

#include "ir/kernel_yaml.h"
#include "support/json.h"

#include <fmt/format.h>
#include <llvm/Support/FormatVariadic.h>

namespace rtmc::driver {
namespace {

constexpr size_t kMaxDepth = 16;  // a record needs 2

bool isPatternHash(llvm::StringRef text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == llvm::StringRef::npos;
}

}  // namespace

llvm::Error addSchedules(const std::string &text, const ir::Schedule &defaults, passes::ScheduleTable &table) {
  auto schedules = ir::parseSchedules(text, defaults);
  if (!schedules) return schedules.takeError();
  for (auto &[name, schedule] : *schedules) table[name] = schedule;
  return llvm::Error::success();
}

llvm::Error addTuningRecords(const std::string &text, const ir::Schedule &defaults, passes::ScheduleTable &table) {
  size_t used = 0, lineNumber = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const bool torn = end == text.size();  // a writer was killed: the last line has no newline
    const llvm::StringRef line = llvm::StringRef(text).slice(begin, end).trim();
    begin = end + 1;
    ++lineNumber;
    if (line.empty()) continue;
    if (nestsDeeperThan(line, kMaxDepth)) {
      return llvm::createStringError(fmt::format("line {}: it nests deeper than {} levels", lineNumber, kMaxDepth));
    }
    auto value = json::parse(line);
    if (!value) {
      if (torn) {
        llvm::consumeError(value.takeError());
        continue;
      }
      return llvm::createStringError(fmt::format("line {}: {}", lineNumber, llvm::toString(value.takeError())));
    }
    const json::Object *record = value->getAsObject();
    if (!record) return llvm::createStringError(fmt::format("line {}: a JSON object is needed", lineNumber));
    const auto pattern = record->getString("pattern");
    const json::Object *schedule = record->getObject("schedule");
    if (!pattern || !schedule || !isPatternHash(*pattern)) continue;
    // JSON is YAML: the one reader of schedules serves both.
    const json::Object inner{{*pattern, json::Object(*schedule)}};
    const json::Value file = json::Object{{"schedules", json::Object(inner)}};
    if (llvm::Error error = addSchedules(llvm::formatv("{0}", file).str(), defaults, table)) {
      return llvm::createStringError(fmt::format("line {}: {}", lineNumber, llvm::toString(std::move(error))));
    }
    ++used;
  }
  if (used == 0) {
    return llvm::createStringError(
        "no usable record was found; a line like {\"pattern\": 16 hex digits, \"schedule\": {...}} is needed");
  }
  return llvm::Error::success();
}

}  // namespace rtmc::driver
