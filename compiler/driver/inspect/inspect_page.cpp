#include "driver/inspect/inspect_page.h"

#include "driver/inspect/gate_matrices.h"
#include "driver/inspect/html_text.h"
#include "driver/inspect/pattern_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace rtmc::driver {
namespace {

constexpr size_t kPictureBytes = 2 << 20;                                // of all pictures together
constexpr size_t kLeastOfOne = 3 << 10, kMostOfOne = size_t{160} << 10;  // of one

constexpr std::string_view kStyle = R"(
body { font: 14px/1.45 sans-serif; color: #111; background: #fff; margin: 2em auto; max-width: 1100px; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; margin: 2em 0 .3em; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: .15em .6em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { border-bottom: 1px solid #111; } .t { text-align: left; } .total td { border-top: 1px solid #111; }
figure { display: inline-block; vertical-align: top; margin: .5em 2em .5em 0; }
figcaption { max-width: 360px; font-size: 12px; color: #333; } .key { display: inline-block; margin-right: 1.6em; }
.key svg { vertical-align: middle; }
svg text { font: bold 11px sans-serif; text-anchor: end; }
.b { fill: none; stroke: #777; } .o { fill: none; stroke: #d00; }
.s0 { fill: #000; stroke: #000; } .s1 { fill: #fff; stroke: #000; }
.g { fill: #000; } .k0 { fill: #0a2f6b; } .k1 { fill: #8a3c00; } .k2 { fill: #00512a; } .k3 { fill: #581a75; }
.l1 { fill-opacity: .2; } .l2 { fill-opacity: .4; } .l3 { fill-opacity: .6; } .l4 { fill-opacity: .8; }
@media print { h3, figure { break-inside: avoid; } }
)";

constexpr std::string_view kKindNames[] = {"whole tiles", "partial tiles", "tiles of listed rows",
                                           "tiles of gathered columns"};

/// Patterns of the kinds of tiles, for the whole page.
constexpr std::string_view kPatterns =
    "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs>"
    "<pattern id=\"kind0\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" "
    "fill=\"#0a2f6b\"/></pattern>"
    "<pattern id=\"kind1\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" "
    "fill=\"#fff\"/><path d=\"M-1 1l2-2M0 6l6-6M5 7l2-2\" stroke=\"#8a3c00\" stroke-width=\"1.5\"/></pattern>"
    "<pattern id=\"kind2\" width=\"6\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"4\" "
    "fill=\"#fff\"/><path d=\"M0 2h6\" stroke=\"#00512a\" stroke-width=\"1.5\"/></pattern>"
    "<pattern id=\"kind3\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect width=\"4\" height=\"4\" "
    "fill=\"#fff\"/><circle cx=\"2\" cy=\"2\" r=\"1.2\" fill=\"#581a75\"/></pattern>"
    "</defs></svg>\n";

std::string count(uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string factsTable(const Session &session, const Inspection &found) {
  const ir::Program &program = *found.program;
  HtmlTable table("facts", {"what", "value"});
  table.add({"target", program.target});
  table.add({"processor", program.cpu});
  table.add({"machine description", fmt::format("{} ({})", found.machine->name, found.machine->source)});
  table.add({"weights stored as", std::string(precisionName(program.precision))});
  table.add({"threads asked / used", fmt::format("{} / {}", session.line().threads, program.shares)});
  table.add({"runs step by step", program.causal ? "yes" : "no: whole sequences"});
  table.add({"kept weights in the code", std::to_string(found.total.nonzeros)});
  table.add({"bytes of values", std::to_string(found.total.valueBytes)});
  table.add({"bytes of indices", std::to_string(found.total.indexBytes)});
  table.add({"bytes as CSR", std::to_string(found.total.csrBytes)});
  table.add({"packed over CSR", fmt::format("{:.3f}", ratio(double(found.total.valueBytes + found.total.indexBytes),
                                                            double(found.total.csrBytes)))});
  table.add({"loads of inputs before", std::to_string(program.loads.before)});
  table.add({"loads of inputs after", std::to_string(program.loads.after)});
  table.add({"constant gate rows", std::to_string(program.folded.constantGateRows)});
  table.add({"constant gates", std::to_string(program.folded.constantGates)});
  table.add({"dropped units", std::to_string(program.folded.droppedUnits)});
  table.add({"dropped weights", std::to_string(program.folded.droppedWeights)});
  table.add({"predicted ns per step", fmt::format("{:.1f}", found.stepNs)});
  return table.html();
}

std::string matrixTable(const Inspection &found, const std::map<std::string, std::string> &anchors) {
  HtmlTable table("matrices",
                  {"matrix", "<scheme", "fill", "rows", "columns", "kept", "density", "<format", "<lanes", "groups",
                   "tiles", "loads before", "loads after", "CSR bytes", "value bytes", "index bytes", "predicted ns"});
  const auto numbers = [](const MatrixFacts &facts, double ns) {
    return std::vector<std::string>{std::to_string(facts.groups),      std::to_string(facts.tiles),
                                    std::to_string(facts.loadsBefore), std::to_string(facts.loadsAfter),
                                    std::to_string(facts.csrBytes),    std::to_string(facts.valueBytes),
                                    std::to_string(facts.indexBytes),  fmt::format("{:.1f}", ns)};
  };
  for (const InspectedMatrix &matrix : found.matrices) {
    const ir::Weights &w = *matrix.weights;
    std::vector<std::string> cells{w.name,
                                   schemeText(w.structure),
                                   fmt::format("{:.3f}", w.structure.fill),
                                   std::to_string(w.rows),
                                   std::to_string(w.columns),
                                   std::to_string(w.nonzeros),
                                   fmt::format("{:.2f} %", 100 * densityOf(w)),
                                   std::string(ir::formatName(w.schedule.format)),
                                   ir::lanesName(w.schedule.lanes)};
    const std::vector<std::string> rest = numbers(matrix.facts, matrix.predictedNs);
    cells.insert(cells.end(), rest.begin(), rest.end());
    const auto anchor = anchors.find(w.name);
    table.add(cells, anchor == anchors.end() ? "" : anchor->second);
  }
  std::vector<std::string> sum{"total", "", "", "", "", std::to_string(found.total.nonzeros), "", "", ""};
  const std::vector<std::string> rest = numbers(found.total, found.totalNs);
  sum.insert(sum.end(), rest.begin(), rest.end());
  table.total(sum);
  return "<div class=\"wide\">" + table.html() + "</div>\n";
}

std::string phaseTable(const Inspection &found) {
  HtmlTable table("phases", {"phase", "<section", "predicted ns per share", "balance"});
  for (const InspectedPhase &each : found.phases) {
    std::string shares;
    for (const double ns : each.phase->shareCost) shares += fmt::format("{}{:.1f}", shares.empty() ? "" : " ", ns);
    table.add({each.phase->name, each.section->name, shares, fmt::format("{:.3f}", each.balance)});
  }
  return "<div class=\"wide\">" + table.html() + "</div>\n";
}

/// One gate matrix: what the user wrote, and what there is in the code of it, if anything.
struct Entry {
  std::string name, anchor;
  const GateMatrix *written = nullptr;        // null: there is no network, only a program
  const InspectedMatrix *compiled = nullptr;  // null: folded away
};

/// Runs of each share; of many shares only between what they lie.
std::string shareWords(const ir::Packed &packed) {
  constexpr size_t kListed = 8;
  std::vector<uint32_t> runs;
  for (size_t share = 0; share + 1 < packed.shareBegin.size(); ++share)
    runs.push_back(packed.shareBegin[share + 1] - packed.shareBegin[share]);
  if (runs.size() > kListed) {
    const auto [fewest, most] = std::minmax_element(runs.begin(), runs.end());
    return fmt::format("A to {}, {} to {} each", shareLetters(static_cast<uint32_t>(runs.size() - 1)), *fewest,
                       count(*most, "run"));
  }
  std::string words;
  for (uint32_t share = 0; share < runs.size(); ++share)
    words += fmt::format("{}{}: {}", share ? ", " : "", shareLetters(share), count(runs[share], "run"));
  return words;
}

std::string kernelWords(const ir::Weights &w) {
  std::map<std::string, uint64_t> tiles;
  for (const ir::TileRun &run : w.packed->runs)
    tiles[ir::kernelName(w.schedule.precision, w.schedule.accumulate, w.packed->shapes[run.shape],
                         w.schedule.unroll)] += run.tiles;
  std::string words;
  for (const auto &[name, number] : tiles) words += fmt::format("{}{} x {}", words.empty() ? "" : ", ", number, name);
  return words;
}

std::string cellWords(const Plot &plot) {
  if (plot.cellRows == 1 && plot.cellColumns == 1) return "";
  return fmt::format(" A cell stands for up to {} x {} weights.", plot.cellRows, plot.cellColumns);
}

class Pictures {
 public:
  Pictures(const Inspection &found, size_t pictures)
      : found_(found), budget_(std::clamp(kPictureBytes / std::max<size_t>(1, pictures), kLeastOfOne, kMostOfOne)) {}

  std::string of(const Entry &entry) {
    const Pattern pattern =
        entry.written ? patternOf(*entry.written) : patternOf(*found_.program, *entry.compiled->weights);
    std::string html = fmt::format("<section id=\"{}\"><h3>{}</h3>\n", entry.anchor, escapeHtml(entry.name));
    if (!entry.compiled) {
      html += fmt::format("<p>Not in the code: {}.</p>\n",
                          pattern.kept() == 0 ? "no weight is kept" : "nothing that an output needs reads its results");
    }
    if (pattern.kept() > 0) html += figure(plotBefore(entry.name + " as written", pattern, budget_), pattern);
    if (entry.compiled) html += figure(*entry.compiled->weights);
    return html + "</section>\n";
  }
  const std::set<uint32_t> &kindsSeen() const { return kinds_; }

 private:
  static std::string figure(const Plot &plot, const Pattern &pattern) {
    return fmt::format("<figure>{}<figcaption>As written: {} x {}, {} kept.{}</figcaption></figure>\n", plot.svg,
                       pattern.rows, pattern.columns, count(pattern.kept(), "weight"), cellWords(plot));
  }

  std::string figure(const ir::Weights &w) {
    const RunPlot plot = plotAfter(w.name + " as it runs", w, budget_);
    for (uint32_t kind = 0; kind < std::size(plot.kinds); ++kind)
      if (plot.kinds[kind]) kinds_.insert(kind);
    return fmt::format(
        "<figure>{}<figcaption>As it runs: {} of {} rows have weights, {}; {} values stored for {}; {}; format "
        "{}, {}. Shares: {}. Tiles: {}.{}</figcaption></figure>\n",
        plot.svg, plot.rows, w.rows, count(w.columns, "column"), plot.values, count(w.nonzeros, "kept weight"),
        count(plot.stripes, "stripe"), ir::formatName(w.schedule.format), ir::lanesName(w.schedule.lanes),
        shareWords(*w.packed), escapeHtml(kernelWords(w)), cellWords(plot));
  }

  const Inspection &found_;
  const size_t budget_;
  std::set<uint32_t> kinds_;
};

std::string legend(const std::set<uint32_t> &kinds) {
  std::string html =
      "<p>Left: the gate matrix as written, in the user's order. Right: rows in the order in which the code computes "
      "them, columns in the order in which the units are stored; explicit zeros of tiles count as stored. The darker a "
      "cell, the more of it is taken: five steps, the darkest from four fifths on. Bars at the left, with letters "
      "where "
      "there is room: threads' shares. Red outlines: stripes, rows that read the same columns; those below four pixels "
      "have "
      "none.</p>\n<p>";
  for (const uint32_t kind : kinds)
    html += fmt::format(
        "<span class=\"key\"><svg width=\"26\" height=\"12\"><rect class=\"k{0}\" width=\"12\" height=\"12\"/><rect "
        "x=\"15\" width=\"11\" height=\"12\" fill=\"url(#kind{0})\"/></svg> {1}</span>",
        kind, kKindNames[kind]);
  return html + "</p>\n";
}

}  // namespace

std::string inspectPage(const Session &session, const Inspection &found) {
  const std::vector<GateMatrix> written =
      session.parsed() ? gateMatrices(*session.parsed()) : std::vector<GateMatrix>{};
  std::map<std::string, const InspectedMatrix *> compiled;
  for (const InspectedMatrix &matrix : found.matrices) compiled[matrix.weights->name] = &matrix;
  std::vector<Entry> entries;
  const auto add = [&](const std::string &name, const GateMatrix *matrix, const InspectedMatrix *inCode) {
    entries.push_back({name, fmt::format("m{}", entries.size() + 1), matrix, inCode});
  };
  for (const GateMatrix &matrix : written) {
    const auto inCode = compiled.find(matrix.name);
    add(matrix.name, &matrix, inCode == compiled.end() ? nullptr : inCode->second);
    if (inCode != compiled.end()) compiled.erase(inCode);
  }
  for (const InspectedMatrix &matrix : found.matrices)
    if (compiled.contains(matrix.weights->name)) add(matrix.weights->name, nullptr, &matrix);

  std::map<std::string, std::string> anchors;
  for (const Entry &entry : entries) anchors[entry.name] = entry.anchor;
  Pictures pictures(found, 2 * entries.size());
  std::string sections;
  for (const Entry &entry : entries) sections += pictures.of(entry);
  const std::string name = escapeHtml(found.program->name);
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>{0}: rtmc inspect</title>"
             "<style>{1}</style></head>\n<body>\n{2}<h1>{0}</h1>\n",
             name, kStyle, kPatterns) +
         factsTable(session, found) + "<h2>Matrices in the code</h2>\n" + matrixTable(found, anchors) +
         "<h2>Phases</h2>\n<p>Predicted time of each thread's share, in the shares' order; a barrier ends a phase. "
         "Balance: the largest share over the mean.</p>\n" +
         phaseTable(found) + "<h2>Patterns</h2>\n" + legend(pictures.kindsSeen()) + sections + "</body></html>\n";
}

}  // namespace rtmc::driver
