#include "frontend/yaml_node.h"

#include "support/names.h"

#include <fmt/format.h>
#include <llvm/Support/ConvertUTF.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <unordered_map>

namespace rtmc::frontend {
namespace {

constexpr size_t kMaxDepth = 32;  // a model file needs 5

constexpr const char *kNoKey = "a list, a map or nothing stands where a key must; is a bracket or a text left open?";

/// Ends the parser's recursion after an error was reported.
struct Stop {};

/// Receives yaml-cpp's events and builds the tree; `path_` holds the open collections.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const SourceFile> file, Diagnostics &diagnostics)
      : file_(std::move(file)), diagnostics_(diagnostics) {}

  std::optional<YamlNode> root;
  bool failed = false;

  void OnDocumentStart(const YAML::Mark &mark) override {
    if (root) stop(mark, "a second document starts here; one is read");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    add(node(YamlNode::Kind::Null, mark, "?", anchor));
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t) override {
    stop(mark, "aliases are not read; write the value out");
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                const std::string &value) override {
    YamlNode scalar = node(YamlNode::Kind::Scalar, mark, tag, anchor);
    scalar.quoted = tag == "!";
    scalar.text = value;
    // yaml-cpp ends such a text at the end of the file.
    if (scalar.quoted && !quoteCloses(scalar.where)) stop(mark, "the quote that opens here is not closed");
    const size_t shown = value.size() + (scalar.quoted ? 2 : 0);
    scalar.where.length = static_cast<uint32_t>(std::clamp<size_t>(shown, 1, 4096));
    add(std::move(scalar));
  }
  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node(YamlNode::Kind::Sequence, mark, tag, anchor), mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node(YamlNode::Kind::Map, mark, tag, anchor), mark);
  }
  void OnMapEnd() override { close(); }

  Location place(const YAML::Mark &mark) const {
    if (mark.is_null()) return {file_};
    return {file_, static_cast<uint32_t>(mark.line) + 1, static_cast<uint32_t>(mark.column) + 1};
  }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;  // of a map, between a key and its value
    std::unordered_map<std::string, Location> seen;
  };

  /// False: `where` is a quote without its partner.
  bool quoteCloses(const Location &where) {
    const std::string &text = file_->text;
    for (; lineNumber_ < where.line; ++lineNumber_) lineStart_ = text.find('\n', lineStart_) + 1;
    size_t at = lineStart_ + where.column - 1;
    const char quote = at < text.size() ? text[at] : ' ';
    if (quote != '"' && quote != '\'') return true;  // a block of text
    while (++at < text.size()) {
      const bool doubled = quote == '\'' && text[at] == quote && at + 1 < text.size() && text[at + 1] == quote;
      if (doubled || (quote == '"' && text[at] == '\\'))
        ++at;
      else if (text[at] == quote)
        return true;
    }
    return false;
  }

  [[noreturn]] void stop(const YAML::Mark &mark, std::string message) {
    diagnostics_.error("yaml-syntax", place(mark), std::move(message));
    throw Stop();
  }

  YamlNode node(YamlNode::Kind kind, const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor) {
    if (anchor != 0) stop(mark, "anchors are not read; write the value out where it is needed");
    if (tag != "?" && tag != "!" && !tag.empty()) stop(mark, fmt::format("the tag {} is not read", quoted(tag)));
    YamlNode out;
    out.kind = kind;
    out.where = place(mark);
    return out;
  }

  void open(YamlNode collection, const YAML::Mark &mark) {
    if (!path_.empty() && path_.back().node.isMap() && !path_.back().key) stop(mark, kNoKey);
    if (path_.size() >= kMaxDepth) stop(mark, fmt::format("lists and maps nest deeper than {} levels", kMaxDepth));
    path_.push_back({std::move(collection), std::nullopt, {}});
  }

  void close() {
    YamlNode done = std::move(path_.back().node);
    path_.pop_back();
    add(std::move(done));
  }

  void add(YamlNode child) {
    if (path_.empty()) {
      root = std::move(child);
      return;
    }
    Open &parent = path_.back();
    if (parent.node.isSequence()) {
      parent.node.items.push_back(std::move(child));
    } else if (!parent.key) {
      addKey(parent, std::move(child));
    } else {
      // yaml-cpp places a value that is not there at the next token: the key is the better place.
      if (child.kind == YamlNode::Kind::Null) child.where = parent.key->where;
      parent.node.members.push_back({std::move(*parent.key), std::move(child)});
      parent.key.reset();
    }
  }

  void addKey(Open &parent, YamlNode key) {
    if (!key.isScalar()) {
      diagnostics_.error("yaml-syntax", key.where, kNoKey);
      failed = true;
    } else if (const auto [first, added] = parent.seen.emplace(key.text, key.where); !added) {
      diagnostics_
          .error("duplicate-key", key.where, fmt::format("the key {} stands twice in this map", quoted(key.text)))
          .notes.push_back({first->second, "it stands here first"});
      failed = true;
    }
    parent.key = std::move(key);
  }

  std::shared_ptr<const SourceFile> file_;
  Diagnostics &diagnostics_;
  std::vector<Open> path_;
  uint32_t lineNumber_ = 1;  // of the last quoted scalar, and where its line starts: scalars come in the file's order
  size_t lineStart_ = 0;
};

Location placeOf(const std::shared_ptr<const SourceFile> &file, size_t offset) {
  const std::string_view before = std::string_view(file->text).substr(0, offset);
  const size_t lineStart = before.rfind('\n') + 1;  // npos + 1 = 0
  const auto line = static_cast<uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
  return {file, line, static_cast<uint32_t>(offset - lineStart + 1)};
}

/// UTF-8 without control characters and without tabs in indentation (which YAML forbids and yaml-cpp reads wrongly).
bool checkText(const std::shared_ptr<const SourceFile> &file, Diagnostics &diagnostics) {
  const std::string &text = file->text;
  const auto *bytes = reinterpret_cast<const llvm::UTF8 *>(text.data());
  const llvm::UTF8 *end = bytes + text.size();
  bool indentation = true, tab = false;
  size_t tabAt = 0;
  for (const llvm::UTF8 *at = bytes; at < end;) {
    const auto offset = static_cast<size_t>(at - bytes);
    const llvm::UTF8 c = *at;
    const size_t length = llvm::getNumBytesForUTF8(c);
    if (length > static_cast<size_t>(end - at) || !llvm::isLegalUTF8Sequence(at, at + length)) {
      diagnostics.error("text-encoding", placeOf(file, offset),
                        fmt::format("byte 0x{:02x} is not part of UTF-8 text", c));
      return false;
    }
    if ((c < 0x20 && c != '\n' && c != '\t' &&
         !(c == '\r' && (offset + 1 == text.size() || text[offset + 1] == '\n'))) ||
        c == 0x7f) {
      diagnostics.error("text-encoding", placeOf(file, offset),
                        fmt::format("control character 0x{:02x} in the text", c));
      return false;
    }
    if (c == '\n') {
      indentation = true;
      tab = false;
    } else if (indentation && c == '\t' && !tab) {
      tab = true;
      tabAt = offset;
    } else if (indentation && c != ' ' && c != '\t') {
      indentation = false;
      if (tab && c != '#' && c != '\r') {
        diagnostics.error("yaml-syntax", placeOf(file, tabAt), "a tab in the indentation; YAML indents with spaces");
        return false;
      }
    }
    at += length;
  }
  return true;
}

}  // namespace

std::string YamlNode::description() const {
  switch (kind) {
    case Kind::Null:
      return "empty";
    case Kind::Scalar:
      return (quoted ? "the text " : "") + rtmc::quoted(text);
    case Kind::Sequence:
      return "a list";
    case Kind::Map:
      return "a map";
  }
  return "empty";
}

std::optional<YamlNode> parseYaml(const std::shared_ptr<const SourceFile> &file, Diagnostics &diagnostics) {
  if (file->text.size() > kMaxYamlBytes) {
    diagnostics.error("file-too-large", {file}, fmt::format("the file has more than {} bytes", kMaxYamlBytes));
    return std::nullopt;
  }
  if (!checkText(file, diagnostics)) return std::nullopt;
  TreeBuilder builder(file, diagnostics);
  try {
    // A carriage return that ends the file is no line break to yaml-cpp.
    const std::string &text = file->text;
    std::istringstream stream(text.ends_with('\r') ? text.substr(0, text.size() - 1) : text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop &) {
    return std::nullopt;
  } catch (const YAML::Exception &e) {
    diagnostics.error("yaml-syntax", builder.place(e.mark), "not YAML: " + printable(lowerFirst(e.msg)));
    return std::nullopt;
  } catch (const std::exception &e) {  // yaml-cpp lets some of the standard library's through
    diagnostics.error("yaml-syntax", {file}, std::string("not YAML: ") + e.what());
    return std::nullopt;
  }
  if (builder.failed) return std::nullopt;
  if (!builder.root) diagnostics.error("yaml-syntax", {file}, "the file is empty");
  return std::move(builder.root);
}

}  // namespace rtmc::frontend
