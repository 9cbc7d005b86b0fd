#include "engine/app/backtest_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "engine/app/backtest_table.h"

namespace tidecast {
namespace {

// Okabe and Ito's colours: told apart by colour-blind people, too.
constexpr std::array<const char*, 5> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};
constexpr double kWidth = 560, kHeight = 240, kLeft = 46, kRight = 10, kTop = 10, kBottom = 30;

constexpr const char* kStyle = R"(:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;max-width:1320px;margin:2em auto;padding:0 1em}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{padding:.2em .5em;white-space:nowrap;text-align:right;border-bottom:1px solid #8884}th:first-child,td:first-child{text-align:left}
tr.model td{font-weight:600}.charts{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0}
figcaption{font-size:.9em}svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:currentColor}
.grid{stroke:#8884}.axis{stroke:#888}.band{fill:#0072b2}.median{stroke:#0072b2}.actual{stroke:currentColor}
.note{font-size:.9em;opacity:.8})";

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
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
      default:
        out += c;
    }
  }
  return out;
}

std::string Number(double value, const char* format = "{:.3f}") {
  return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "–";
}

using Points = std::vector<std::pair<double, double>>;

/// One drawing: a frame with ticks, onto which lines and areas are put in data units.
class Chart {
 public:
  Chart(double x_low, double x_high, double y_low, double y_high)
      : x_low_(x_low),
        x_high_(x_high > x_low ? x_high : x_low + 1),
        y_low_(y_low),
        y_high_(y_high > y_low ? y_high : y_low + 1) {
    // Round steps of 1, 2 or 5.
    const double rough = (y_high_ - y_low_) / 4;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
    for (double tick = std::ceil(y_low_ / step) * step; tick <= y_high_ + step / 1e6; tick += step) {
      Add("<line class=grid x1={:.1f} x2={:.1f} y1={:.1f} y2={:.1f} />", kLeft, kWidth - kRight, Y(tick), Y(tick));
      Add("<text x={:.1f} y={:.1f} text-anchor=end>{:g}</text>", kLeft - 5, Y(tick) + 4,
          std::fabs(tick) < step / 1e6 ? 0 : tick);
    }
  }
  void XTick(double x, std::string_view label) {
    Add("<text x={:.1f} y={:.1f} text-anchor=middle>{}</text>", X(x), kHeight - kBottom + 16, Escaped(label));
  }
  void VerticalLine(double x) {
    Add("<line class=axis stroke-dasharray=3 x1={0:.1f} x2={0:.1f} y1={1:.1f} y2={2:.1f} />", X(x), kTop,
        kHeight - kBottom);
  }
  /// A missing value breaks the line.
  void Line(const Points& points, std::string_view look) {
    std::string path;
    bool down = false;
    for (const auto& [x, y] : points) {
      if (!std::isfinite(y)) {
        down = false;
        continue;
      }
      fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", down ? "L" : "M", X(x), Y(y));
      down = true;
    }
    Add("<path d=\"{}\" fill=none stroke-width=2 {} />", path, look);
  }
  void Area(const Points& lower, const Points& upper, double opacity) {
    std::string points;
    for (const auto& [x, y] : upper) fmt::format_to(std::back_inserter(points), "{:.1f},{:.1f} ", X(x), Y(y));
    for (auto at = lower.rbegin(); at != lower.rend(); ++at) {
      fmt::format_to(std::back_inserter(points), "{:.1f},{:.1f} ", X(at->first), Y(at->second));
    }
    Add("<polygon class=band fill-opacity={} points=\"{}\" />", opacity, points);
  }
  std::string Figure(std::string_view caption, std::string_view label) const {
    return fmt::format(
        "<figure><figcaption>{}</figcaption><svg role=img aria-label=\"{}\" width={} height={} viewBox=\"0 0 {} "
        "{}\">{}</svg></figure>\n",
        caption, Escaped(label), kWidth, kHeight, kWidth, kHeight, body_);
  }

 private:
  double X(double x) const { return kLeft + (x - x_low_) / (x_high_ - x_low_) * (kWidth - kLeft - kRight); }
  double Y(double y) const {
    return kHeight - kBottom - (y - y_low_) / (y_high_ - y_low_) * (kHeight - kTop - kBottom);
  }
  template <typename... T>
  void Add(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<T>(values)...);
  }
  double x_low_, x_high_, y_low_, y_high_;
  std::string body_;
};

std::string Legend(const std::vector<Contestant>& contestants) {
  std::string text;
  for (size_t i = 0; i < contestants.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{}<span style=\"color:{}\">&#9632;</span> {}", i == 0 ? "" : " &nbsp; ",
                   kColours[i % kColours.size()], Escaped(contestants[i].title));
  }
  return text;
}

std::string Look(size_t contestant) { return fmt::format("stroke=\"{}\"", kColours[contestant % kColours.size()]); }

std::string ByStep(const std::vector<Contestant>& contestants) {
  double most = 0;
  double steps = 1;
  for (const Contestant& contestant : contestants) {
    for (const auto& part : contestant.table->by_horizon) {
      if (std::isfinite(part.figures.wql)) most = std::max(most, part.figures.wql);
      steps = std::max(steps, std::stod(part.name));
    }
  }
  Chart chart(1, steps, 0, most * 1.05);
  for (double h = 1; h <= steps; h += std::max(1.0, std::ceil(steps / 8))) chart.XTick(h, fmt::format("{:g}", h));
  for (size_t i = contestants.size(); i-- > 0;) {
    Points points;
    for (const auto& part : contestants[i].table->by_horizon)
      points.emplace_back(std::stod(part.name), part.figures.wql);
    chart.Line(points, Look(i));
  }
  return chart.Figure("WQL by step ahead; lower is better", "WQL by step ahead");
}

std::string Coverage(const std::vector<Contestant>& contestants) {
  double low = 45;
  for (const Contestant& contestant : contestants) low = std::min(low, 100 * contestant.table->all.cover[0]);
  Chart chart(45, 100, low, 100);
  for (const int band : kCoverageBands) chart.XTick(band, fmt::format("{} %", band));
  chart.Line({{45, 45}, {100, 100}}, "class=axis stroke-dasharray=4");
  for (size_t i = contestants.size(); i-- > 0;) {
    Points points;
    for (size_t b = 0; b < kCoverageBands.size(); ++b) {
      points.emplace_back(kCoverageBands[b], 100 * contestants[i].table->all.cover[b]);
    }
    chart.Line(points, Look(i));
  }
  return chart.Figure("Actuals inside a band, in percent, against the band's promise (dashed)",
                      "coverage against nominal");
}

std::string Fan(const FanChart& fan) {
  const size_t horizon = fan.mean.size();
  const auto level = [&](size_t l) {
    Points points;
    for (size_t h = 0; h < horizon; ++h) points.emplace_back(fan.forecast_from + h, fan.quantiles[h * kLevelCount + l]);
    return points;
  };
  double low = 0, high = 0;
  for (const float y : fan.actual) {
    if (!std::isfinite(y)) continue;
    low = std::min<double>(low, y);
    high = std::max<double>(high, y);
  }
  for (const auto& [x, y] : level(0)) low = std::min(low, y);
  for (const auto& [x, y] : level(12)) high = std::max(high, y);
  Chart chart(0, static_cast<double>(fan.labels.size()) - 1, low, high * 1.05);
  for (const auto& [from, to, opacity] : {std::tuple{0, 12, .15}, std::tuple{2, 10, .2}})
    chart.Area(level(from), level(to), opacity);
  // The middle half lies between levels: a quarter is halfway from .2 to .3.
  Points lower, upper;
  for (size_t h = 0; h < horizon; ++h) {
    const float* q = &fan.quantiles[h * kLevelCount];
    lower.emplace_back(fan.forecast_from + h, (q[3] + q[4]) / 2);
    upper.emplace_back(fan.forecast_from + h, (q[8] + q[9]) / 2);
  }
  chart.Area(lower, upper, .3);
  chart.VerticalLine(static_cast<double>(fan.forecast_from) - .5);
  Points actual;
  for (size_t t = 0; t < fan.actual.size(); ++t) actual.emplace_back(t, fan.actual[t]);
  chart.Line(actual, "class=actual");
  chart.Line(level(kMedian), "class=median");
  chart.XTick(0, fan.labels[0].substr(0, 16));
  if (fan.forecast_from > fan.labels.size() / 4) {
    chart.XTick(static_cast<double>(fan.forecast_from), fan.labels[fan.forecast_from].substr(0, 16));
  }
  return chart.Figure(fmt::format("<b>{}</b> ({})", Escaped(fan.series), fan.demand_class),
                      "forecast of " + fan.series);
}

std::string Row(std::string_view tag, std::string_view row_class, const std::vector<std::string>& cells) {
  std::string text = row_class.empty() ? "<tr>" : fmt::format("<tr class={}>", row_class);
  for (const std::string& cell : cells) fmt::format_to(std::back_inserter(text), "<{0}>{1}</{0}>", tag, cell);
  return text + "</tr>\n";
}

const std::vector<std::string> kHead = {"",     "WQL",  "WAPE", "RMSSE", "MASE",  "bias",
                                        "50 %", "80 %", "90 %", "95 %",  "width", "forecasts"};

std::vector<std::string> FigureCells(std::string title, const ScoreFigures& f) {
  return {std::move(title),   Number(f.wql),      Number(f.wape),     Number(f.rmsse),
          Number(f.mase),     Number(f.bias),     Number(f.cover[0]), Number(f.cover[1]),
          Number(f.cover[2]), Number(f.cover[3]), Number(f.width80),  std::to_string(f.forecasts)};
}

}  // namespace

std::string BacktestPage(const BacktestReport& report, const std::string& source) {
  const std::vector<Contestant> contestants = ContestantsOf(report);
  const bool compared = contestants.size() > 1;
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n"
      "<title>Backtest of {0}</title><style>{1}</style>\n<h1>Backtest of {0}</h1>\n"
      "<p>{2} series, {3} buckets, {4} origins, {5} steps ahead. Each forecast was made before any later value was "
      "read.</p>\n",
      Escaped(source), kStyle, report.summary.series, report.summary.buckets, report.summary.origins, report.horizon);
  page += "<h2>Figures</h2>\n<table>";
  std::vector<std::string> head = kHead;
  if (compared) head.insert(head.end(), {"CPU s", "DM t", "p"});
  page += Row("th", "", head);
  for (const Contestant& contestant : contestants) {
    std::vector<std::string> cells = FigureCells(Escaped(contestant.title), contestant.table->all);
    if (compared) {
      const BaselineReport* baseline = contestant.baseline;
      cells.push_back(Number(baseline == nullptr ? report.summary.seconds_models : baseline->seconds_models, "{:.1f}"));
      cells.push_back(baseline == nullptr ? "" : Number(baseline->against.t, "{:.2f}"));
      cells.push_back(baseline == nullptr ? "" : Number(baseline->against.p, "{:.4f}"));
    }
    page += Row("td", contestant.baseline == nullptr ? "model" : "", cells);
  }
  page +=
      "</table>\n<p class=note>WQL and WAPE: share of the volume. Coverage counts whole units of counts. MASE against "
      "the seasonal step, RMSSE against the last value.";
  if (compared)
    page +=
        " DM: Diebold-Mariano test of Tidecast against that line; below 0 Tidecast is better. Each baseline is "
        "calibrated alike.";
  page += "</p>\n";
  if (compared) page += fmt::format("<p>{}</p>\n", Legend(contestants));
  page += fmt::format("<div class=charts>{}{}</div>\n", ByStep(contestants), Coverage(contestants));
  if (!report.fans.empty()) {
    page +=
        "<h2>Forecasts from the last origin</h2>\n<p>Median and bands of 50, 80 and 95 percent; the dark line is what "
        "was and what came.</p>\n<div class=charts>";
    for (const FanChart& fan : report.fans) page += Fan(fan);
    page += "</div>\n";
  }
  page += "<h2>By part</h2>\n<table>" + Row("th", "", kHead);
  for (const ScorePart& part : PartsOf(report.table)) {
    page += Row("td", "", FigureCells(Escaped(fmt::format("{} {}", part.group, part.name)), *part.figures));
  }
  page += "</table>\n";
  if (!report.seeds.empty()) {
    page += "<h2>Over seeds</h2>\n<table>" + Row("th", "", {"", "median", "least", "most"});
    for (const SeedSpread& spread : report.seeds) {
      page += Row(
          "td", "",
          {spread.figure, Number(spread.median, "{:.4f}"), Number(spread.min, "{:.4f}"), Number(spread.max, "{:.4f}")});
    }
    page += "</table>\n";
  }
  return page + "</html>\n";
}

}  // namespace tidecast
