// Owns: the text templates of codegen_templates/, embedded at build time, and the small language that they are written
// in. Refuses to own: what the values mean.
//
//   ${name} ${name.field}     the value's text. Alone on its line, a value of several lines takes the line's
//   indentation;
//                             an empty one removes the line
//   //% for v in list         the lines up to the matching `//% end`, once per element
//   //% if name               kept where the value is neither empty nor "0"; `//% else` is allowed
//   //% include name          another template, at the directive's place; its lines take the directive's indentation
//   //% end
// A directive stands on a line of its own; blanks before it are an include's indentation and otherwise ignored.
// A mistake in a template is ours: RTMC_CHECK.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rtmc::backend {

/// What a template is filled with: a text, a list, or fields by name.
struct TemplateValue {
  std::string text;
  std::vector<TemplateValue> list;
  std::map<std::string, TemplateValue, std::less<>> fields;

  TemplateValue() = default;
  TemplateValue(std::string value) : text(std::move(value)) {}
  TemplateValue(std::string_view value) : text(value) {}
  TemplateValue(const char *value) : text(value) {}
  TemplateValue(uint64_t value) : text(std::to_string(value)) {}
  TemplateValue(uint32_t value) : text(std::to_string(value)) {}
  TemplateValue(bool value) : text(value ? "1" : "") {}
  TemplateValue(std::vector<TemplateValue> values) : list(std::move(values)) {}

  TemplateValue &operator[](std::string_view name) { return fields[std::string(name)]; }
  bool truthy() const { return !list.empty() || !fields.empty() || (!text.empty() && text != "0"); }
};

/// `name`: path below codegen_templates without ".in": "cpp/kernel_matvec".
std::string renderTemplate(std::string_view name, const TemplateValue &values);
/// The same for a text at hand; `name` only for messages.
std::string renderText(std::string_view text, const TemplateValue &values, std::string_view name);

/// The text of an embedded template; empty where there is none.
std::string_view templateText(std::string_view name);

}  // namespace rtmc::backend
