#include "driver/inspect/html_text.h"

#include "support/names.h"

#include <fmt/format.h>

namespace rtmc::driver {

std::string escapeHtml(std::string_view text) {
  const std::string clean = printable(text);
  std::string out;
  out.reserve(clean.size());
  for (size_t i = 0; i < clean.size(); ++i) {
    const char c = clean[i];
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // U+FFFE and U+FFFF are UTF-8, but no characters of XML.
        if (const std::string_view three = std::string_view(clean).substr(i, 3);
            three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") {
          for (const char byte : three) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
          i += 2;
        } else {
          out += c;
        }
    }
  }
  return out;
}

HtmlTable::HtmlTable(std::string_view id, std::vector<std::string> titles) {
  html_ = fmt::format("<table id=\"{}\"><thead><tr>", id);
  for (std::string &title : titles) {
    const bool text = title.starts_with('<') || isText_.empty();
    if (title.starts_with('<')) title.erase(0, 1);
    html_ += fmt::format("<th{}>{}</th>", text ? " class=\"t\"" : "", escapeHtml(title));
    isText_.push_back(text);
  }
  html_ += "</tr></thead><tbody>\n";
}

void HtmlTable::row(const std::vector<std::string> &cells, std::string_view link, std::string_view kind) {
  html_ += kind.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", kind);
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string text = escapeHtml(cells[i]);
    if (i == 0 && !link.empty()) text = fmt::format("<a href=\"#{}\">{}</a>", link, text);
    html_ += fmt::format("<td{}>{}</td>", i < isText_.size() && isText_[i] ? " class=\"t\"" : "", text);
  }
  html_ += "</tr>\n";
}

void HtmlTable::add(const std::vector<std::string> &cells, std::string_view link) {
  row(cells, link, {});
}

void HtmlTable::total(const std::vector<std::string> &cells) {
  row(cells, {}, "total");
}

}  // namespace rtmc::driver
