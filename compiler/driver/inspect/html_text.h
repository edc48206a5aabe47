// Owns: text as it stands in an HTML page that is also well-formed XML.
// Refuses to own: what a page says (inspect_page.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rtmc::driver {

/// Names come from users: markup becomes entities; control characters, broken UTF-8 and what XML has no place for
/// become visible escapes.
std::string escapeHtml(std::string_view text);

/// A table whose rows are written as they come. The first column holds names; numbers are right-aligned.
class HtmlTable {
 public:
  /// `id`: of the element, for readers that look for it. Titles that start with '<' head columns of text.
  HtmlTable(std::string_view id, std::vector<std::string> titles);
  /// Cells are text, escaped here; `link`: where the first one leads, inside the page.
  void add(const std::vector<std::string> &cells, std::string_view link = {});
  /// The last row, set apart.
  void total(const std::vector<std::string> &cells);
  std::string html() const { return html_ + "</tbody></table>\n"; }

 private:
  void row(const std::vector<std::string> &cells, std::string_view link, std::string_view kind);
  std::vector<bool> isText_;
  std::string html_;
};

}  // namespace rtmc::driver
