// Elementwise bodies as text, one instruction per line, and back.
#include "ir/constants.h"
#include "ir/kernel_text.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace rtmc::ir {

void NameIndex::add(const std::string &name) {
  const Id id = static_cast<Id>(names_.size());
  names_.push_back(name);
  if (auto [entry, fresh] = ids_.emplace(name, id); !fresh) entry->second = kNone;
}

std::string NameIndex::nameOf(Id id) const {
  if (id < names_.size() && !names_[id].empty() && names_[id][0] != '#' && ids_.at(names_[id]) == id) return names_[id];
  return fmt::format("#{}", id);
}

Id NameIndex::find(std::string_view text) const {
  if (auto found = ids_.find(text); found != ids_.end()) return found->second;
  uint32_t id = kNone;
  if (text.starts_with('#') && parseNumber(text.substr(1), id) && id < names_.size()) return id;
  return kNone;
}

namespace {

std::string placeText(const EwInstr &instr, const NameIndex &buffers) {
  std::string text = buffers.nameOf(instr.buffer);
  if (!instr.mapped && instr.offset == 0) return text;
  text += instr.mapped ? "[map" : "[";
  if (instr.offset != 0) text += fmt::format("+{}", instr.offset);
  return text + "]";
}

/// Splits off the next word; words are separated by blanks.
std::string_view nextWord(std::string_view &line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

class BodyParser {
 public:
  explicit BodyParser(const NameIndex &buffers) : buffers_(buffers) {}

  /// What is wrong with the line; nothing: it was added.
  std::optional<std::string> add(std::string_view line);
  std::vector<EwInstr> take() { return std::move(body_); }

 private:
  std::optional<std::string> parseName(std::string_view word, EwInstr &);
  std::optional<std::string> parsePlace(std::string_view word, EwInstr &);
  std::optional<std::string> parseOperand(std::string_view word, uint32_t &operand) const;

  const NameIndex &buffers_;
  std::vector<EwInstr> body_;
  std::map<std::string, uint32_t, std::less<>> values_;  // kNone: the name stands twice
};

std::optional<std::string> BodyParser::parseName(std::string_view word, EwInstr &instr) {
  if (word == fmt::format("%{}", body_.size())) return std::nullopt;
  if (!isIdentifier(word)) return fmt::format("{} is no name; %{} would be one", quoted(word), body_.size());
  instr.name = word;
  return std::nullopt;
}

std::optional<std::string> BodyParser::parsePlace(std::string_view word, EwInstr &instr) {
  const size_t bracket = std::min(word.find('['), word.size());
  instr.buffer = buffers_.find(word.substr(0, bracket));
  if (instr.buffer == kNone) return fmt::format("there is no buffer {}", quoted(word.substr(0, bracket)));
  std::string_view index = word.substr(bracket);
  if (index.empty()) return std::nullopt;
  std::string message = fmt::format("{} is not [map], [+N] or [map+N]", quoted(index));
  if (!index.ends_with(']')) return message;
  index = index.substr(1, index.size() - 2);
  if (index.starts_with("map")) {
    instr.mapped = true;
    index.remove_prefix(3);
    if (index.empty()) return std::nullopt;
  }
  if (!index.starts_with('+') || !parseNumber(index.substr(1), instr.offset)) return message;
  return std::nullopt;
}

std::optional<std::string> BodyParser::parseOperand(std::string_view word, uint32_t &operand) const {
  if (word.empty()) return "an operand is missing";
  if (word[0] == '%') {
    if (!parseNumber(word.substr(1), operand) || operand >= body_.size())
      return fmt::format("{} is no instruction before this one", quoted(word));
    return std::nullopt;
  }
  const auto found = values_.find(word);
  if (found == values_.end()) return fmt::format("{} is no value before this line", quoted(word));
  if (found->second == kNone) return fmt::format("{} names several values; write %N", quoted(word));
  operand = found->second;
  return std::nullopt;
}

std::optional<std::string> BodyParser::add(std::string_view line) {
  EwInstr instr;
  std::string_view word = nextWord(line), rest = line;
  const bool named = nextWord(rest) == "=";
  if (named) {
    if (auto message = parseName(word, instr)) return message;
    line = rest;
    word = nextWord(line);
  }
  const auto op = parseEwOp(word);
  if (!op) return fmt::format("{} is no operation", quoted(word));
  instr.op = *op;
  if (!named && instr.op != EwOp::Store)
    return fmt::format("{} needs a name for its value: %{} = ...", quoted(word), body_.size());
  if (instr.op == EwOp::Const) {
    if (const auto number = nextWord(line); !parseNumber(number, instr.imm))
      return fmt::format("{} is no number", quoted(number));
  }
  if (instr.op == EwOp::Load || instr.op == EwOp::Store)
    if (auto message = parsePlace(nextWord(line), instr)) return message;
  const std::array<uint32_t *, 3> operands = {&instr.a, &instr.b, &instr.c};
  for (uint32_t *operand : std::span(operands).first(operandCount(instr.op)))
    if (auto message = parseOperand(nextWord(line), *operand)) return message;
  if (const auto more = nextWord(line); !more.empty()) return fmt::format("{} is one word too many", quoted(more));
  if (!instr.name.empty())
    if (auto [entry, fresh] = values_.emplace(instr.name, static_cast<uint32_t>(body_.size())); !fresh)
      entry->second = kNone;
  body_.push_back(std::move(instr));
  return std::nullopt;
}

}  // namespace

std::string bodyText(const std::vector<EwInstr> &body, const NameIndex &buffers) {
  std::map<std::string_view, uint32_t> uses;
  for (const EwInstr &instr : body) ++uses[instr.name];
  // A name that stands twice is ambiguous from its second line on; it is avoided everywhere.
  const auto value = [&](uint32_t index) {
    const bool plain = index < body.size() && !body[index].name.empty() && uses[body[index].name] == 1;
    return plain ? body[index].name : fmt::format("%{}", index);
  };
  std::string text;
  for (uint32_t i = 0; i < body.size(); ++i) {
    const EwInstr &instr = body[i];
    if (!instr.name.empty())
      text += instr.name + " = ";
    else if (instr.op != EwOp::Store)
      text += fmt::format("%{} = ", i);
    text += ewOpName(instr.op);
    if (instr.op == EwOp::Const) text += fmt::format(" {}", yamlNumber(instr.imm));
    if (instr.op == EwOp::Load || instr.op == EwOp::Store) text += fmt::format(" {}", placeText(instr, buffers));
    const uint32_t operands[] = {instr.a, instr.b, instr.c};
    for (uint32_t k = 0; k < operandCount(instr.op); ++k) text += fmt::format(" {}", value(operands[k]));
    text += '\n';
  }
  return text;
}

std::vector<EwInstr> parseBody(std::string_view text, const NameIndex &buffers,
                               const std::function<void(size_t, const std::string &)> &fail) {
  BodyParser parser(buffers);
  for (size_t line = 0; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.find_first_not_of(' ') == std::string_view::npos) continue;
    if (auto message = parser.add(content)) {
      fail(line, *message);
      break;
    }
  }
  return parser.take();
}

}  // namespace rtmc::ir
