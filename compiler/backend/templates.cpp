#include "backend/templates.h"

#include "support/check.h"

#include <algorithm>

namespace rtmc::backend {
namespace {

struct Embedded {
  std::string_view name, text;
};
constexpr Embedded kTemplates[] = {
#include "embedded_templates.inc"
};

constexpr int kMaxDepth = 16;  // of includes: a template that includes itself is a mistake

std::string at(std::string_view name, std::string_view what) {
  return std::string(name) + ": " + std::string(what);
}

/// Names that are visible: loop variables in front of the values given.
struct Scope {
  const Scope *outer = nullptr;
  std::string_view name;  // empty: the fields of `value` are visible themselves
  const TemplateValue *value = nullptr;

  const TemplateValue *find(std::string_view path) const {
    const size_t dot = path.find('.');
    const std::string_view head = path.substr(0, dot);
    for (const Scope *s = this; s; s = s->outer) {
      const TemplateValue *found = nullptr;
      if (!s->name.empty()) {
        if (s->name == head) found = s->value;
      } else if (const auto field = s->value->fields.find(head); field != s->value->fields.end()) {
        found = &field->second;
      }
      if (found) return dot == std::string_view::npos ? found : below(found, path.substr(dot + 1));
    }
    return nullptr;
  }

  static const TemplateValue *below(const TemplateValue *value, std::string_view path) {
    while (value && !path.empty()) {
      const size_t dot = path.find('.');
      const auto field = value->fields.find(path.substr(0, dot));
      if (field == value->fields.end()) return nullptr;
      value = &field->second;
      path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    return value;
  }
};

std::vector<std::string_view> splitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  size_t i = 0;
  while (true) {
    i = text.find_first_not_of(' ', i);
    if (i == std::string_view::npos) return out;
    const size_t end = std::min(text.find(' ', i), text.size());
    out.push_back(text.substr(i, end - i));
    i = end;
  }
}

class Renderer {
 public:
  Renderer(std::string_view name, std::string_view text, std::string indent, int depth)
      : name_(name), lines_(splitLines(text)), indent_(std::move(indent)), depth_(depth) {
    RTMC_CHECK(depth < kMaxDepth, at(name, "templates include each other"));
  }

  std::string run(const Scope &scope) {
    const size_t end = block(0, scope, true);
    RTMC_CHECK(end == lines_.size(), at(name_, "'end' or 'else' without a beginning"));
    return std::move(out_);
  }

 private:
  /// The directive's words, none for an ordinary line.
  static std::vector<std::string_view> directive(std::string_view line) {
    const size_t start = line.find_first_not_of(' ');
    if (start == std::string_view::npos || !line.substr(start).starts_with("//%")) return {};
    return words(line.substr(start + 3));
  }

  const TemplateValue &value(std::string_view path, const Scope &scope) const {
    const TemplateValue *found = scope.find(path);
    RTMC_CHECK(found, at(name_, "no value for '" + std::string(path) + "'"));
    return *found;
  }

  /// Lines from `i` on; stops at an `else` or `end` of this level and returns where. Nothing is written unless `live`.
  size_t block(size_t i, const Scope &scope, bool live) {
    while (i < lines_.size()) {
      const auto d = directive(lines_[i]);
      if (d.empty()) {
        if (live) writeLine(lines_[i], scope);
        i++;
      } else if (d[0] == "end" || d[0] == "else") {
        return i;
      } else if (d[0] == "for") {
        i = loop(i, d, scope, live);
      } else if (d[0] == "if") {
        i = condition(i, d, scope, live);
      } else {
        RTMC_CHECK(d[0] == "include" && d.size() == 2, at(name_, "unknown directive: " + std::string(lines_[i])));
        if (live) include(lines_[i], d[1], scope);
        i++;
      }
    }
    return i;
  }

  size_t loop(size_t i, const std::vector<std::string_view> &d, const Scope &scope, bool live) {
    RTMC_CHECK(d.size() == 4 && d[2] == "in", at(name_, "a loop is 'for NAME in LIST'"));
    size_t end = block(i + 1, scope, false);
    RTMC_CHECK(end < lines_.size() && directive(lines_[end])[0] == "end", at(name_, "a loop without 'end'"));
    if (live)
      for (const TemplateValue &element : value(d[3], scope).list) block(i + 1, Scope{&scope, d[1], &element}, true);
    return end + 1;
  }

  size_t condition(size_t i, const std::vector<std::string_view> &d, const Scope &scope, bool live) {
    RTMC_CHECK(d.size() == 2, at(name_, "a condition is 'if NAME'"));
    const bool holds = live && value(d[1], scope).truthy();
    size_t end = block(i + 1, scope, live && holds);
    if (end < lines_.size() && directive(lines_[end])[0] == "else") end = block(end + 1, scope, live && !holds);
    RTMC_CHECK(end < lines_.size() && directive(lines_[end])[0] == "end", at(name_, "a condition without 'end'"));
    return end + 1;
  }

  void include(std::string_view line, std::string_view name, const Scope &scope) {
    const std::string full = substitute(name, scope);
    const std::string_view text = templateText(full);
    RTMC_CHECK(!text.empty(), at(name_, "no template '" + full + "'"));
    out_ += Renderer(full, text, indent_ + std::string(line.substr(0, line.find("//%"))), depth_ + 1).run(scope);
  }

  std::string substitute(std::string_view line, const Scope &scope) const {
    std::string out;
    while (true) {
      const size_t begin = line.find("${");
      out += line.substr(0, begin);
      if (begin == std::string_view::npos) return out;
      const size_t end = line.find('}', begin);
      RTMC_CHECK(end != std::string_view::npos, at(name_, "'${' without '}'"));
      out += value(line.substr(begin + 2, end - begin - 2), scope).text;
      line = line.substr(end + 1);
    }
  }

  void writeLine(std::string_view line, const Scope &scope) {
    const size_t start = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view body = line.substr(start);
    const bool alone = body.starts_with("${") && body.find('}') == body.size() - 1;
    if (!alone) return append(substitute(line, scope));
    for (const std::string_view part : splitLines(value(body.substr(2, body.size() - 3), scope).text))
      append(part.empty() ? std::string() : std::string(line.substr(0, start)) + std::string(part));
  }

  void append(const std::string &line) {
    if (!line.empty()) out_ += indent_;
    out_ += line;
    out_ += '\n';
  }

  std::string_view name_;
  std::vector<std::string_view> lines_;
  std::string indent_, out_;
  int depth_;
};

}  // namespace

std::string_view templateText(std::string_view name) {
  const auto *found =
      std::find_if(std::begin(kTemplates), std::end(kTemplates), [&](auto &t) { return t.name == name; });
  return found == std::end(kTemplates) ? std::string_view() : found->text;
}

std::string renderText(std::string_view text, const TemplateValue &values, std::string_view name) {
  const Scope scope{nullptr, {}, &values};
  return Renderer(name, text, "", 0).run(scope);
}

std::string renderTemplate(std::string_view name, const TemplateValue &values) {
  const std::string_view text = templateText(name);
  RTMC_CHECK(!text.empty(), at(name, "no such template"));
  return renderText(text, values, name);
}

}  // namespace rtmc::backend
