#include "engine/io/column_sniffer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "engine/io/nearest_name.h"

namespace tidecast {
namespace {

struct UsualNames {
  std::string_view field;
  std::string_view names;  // normalised, the best first, with spaces around each
};

constexpr std::array kUsual = {
    UsualNames{"sku", "sku stockcode itemid productid articleid asin item product article uniqueid"},
    UsualNames{"symbol", "symbol ticker uniqueid sku"},
    UsualNames{"ts", "ts timestamp invoicedate orderdate transactiontimestamp eventtime datetime date orderedat createdat time ds"},
    UsualNames{"quantity", "quantity qty units y"},
    UsualNames{"unit_price", "unitprice price listprice"},
    UsualNames{"order_id", "orderid invoiceno invoice basketid transactionid orderno ordernumber"},
    UsualNames{"line", "line lineno linenumber orderline"},
    UsualNames{"customer_id", "customerid customer householdid userid visitorid clientid"},
    UsualNames{"country", "country"},
    UsualNames{"channel", "channel"},
    UsualNames{"category", "category categoryid productcategory department"},
    UsualNames{"brand", "brand"},
    UsualNames{"description", "description productdescription productname title name producttype"},
    UsualNames{"promotion", "promotion promotionid promo campaignid"},
    UsualNames{"action", "action eventtype event behavior behaviour behaviortype type"},
    UsualNames{"event_id", "eventid"},
    UsualNames{"session_id", "sessionid session visitid"},
    UsualNames{"from", "from startdate validfrom start"},
    UsualNames{"to", "to enddate validto end"},
    UsualNames{"depth", "depth discount"},
    UsualNames{"on_hand", "onhand stock stocklevel instock"},
    UsualNames{"due_in", "duein onorder"},
    UsualNames{"lead_time", "leadtime leadtimedays"},
    UsualNames{"unit_cost", "unitcost cost"},
    UsualNames{"close", "close price"},
    UsualNames{"volume", "volume"},
};

std::string Normalised(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// "#3" -> 2; -1 for anything else.
int PlaceOf(std::string_view column) {
  if (column.size() < 2 || column[0] != '#') return -1;
  int place = 0;
  const auto [end, error] = std::from_chars(column.data() + 1, column.data() + column.size(), place);
  return error == std::errc() && end == column.data() + column.size() && place > 0 ? place - 1 : -1;
}

// What a terminal may be shown of bytes that may be anything: ASCII, not too much of it.
std::string Printable(std::string_view text) {
  constexpr size_t kShownBytes = 400;
  std::string out(text.substr(0, kShownBytes));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (text.size() > kShownBytes) out += fmt::format("... ({} bytes)", text.size());
  return out;
}

}  // namespace

int ColumnPlan::IndexOf(FieldRole role) const {
  for (const Column& column : columns) {
    if (column.field->role == role) return static_cast<int>(column.index);
  }
  return -1;
}

char SniffDelimiter(std::string_view first_line) {
  constexpr std::string_view kDelimiters = ",;\t|";
  std::array<int, kDelimiters.size()> counts{};
  bool quoted = false;
  for (const char c : first_line) {
    if (c == '"') quoted = !quoted;
    const size_t which = kDelimiters.find(c);
    if (!quoted && which != std::string_view::npos) ++counts[which];
  }
  return kDelimiters[static_cast<size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())];
}

Result<ColumnPlan> SniffColumns(const std::vector<std::string_view>& first_row, const InputOptions& options, const std::string& path) {
  ColumnPlan plan;
  plan.width = first_row.size();
  plan.has_header = options.columns.empty() || !std::all_of(options.columns.begin(), options.columns.end(),
                                                            [](const auto& row) { return PlaceOf(row.second) >= 0; });
  const std::vector<std::string> header(first_row.begin(), first_row.end());
  const auto shown_header = [&] {
    return fmt::format("{}: {}", plan.has_header ? "header" : "first line", Printable(fmt::format("{}", fmt::join(header, ", "))));
  };
  std::vector<bool> used(header.size());
  for (const InputField& field : FieldsOf(options.kind)) {
    const auto wanted = options.columns.find(std::string(field.name));
    if (wanted == options.columns.end()) continue;
    int place = PlaceOf(wanted->second);
    if (place < 0) {
      const auto found = std::find(header.begin(), header.end(), wanted->second);
      if (found != header.end()) place = static_cast<int>(found - header.begin());
    }
    if (place < 0 || static_cast<size_t>(place) >= header.size()) {
      const std::string nearest = NearestName(wanted->second, header);
      return Status(Code::kData,
                    fmt::format("the file has no column \"{}\", which `columns` of input {} gives for {}: {} ({})", wanted->second, options.name,
                                field.name, path, shown_header()),
                    Domain::kInput)
          .WithRemedy(nearest.empty() ? "name a column of the header, or \"#3\" for the third column of a file without one"
                                      : fmt::format("did you mean \"{}\"?", nearest));
    }
    used[static_cast<size_t>(place)] = true;
    plan.columns.push_back({&field, static_cast<size_t>(place)});
  }
  std::vector<std::string> normalised;
  for (const std::string& name : header) normalised.push_back(Normalised(name));
  for (const InputField& field : FieldsOf(options.kind)) {
    if (!plan.has_header || options.columns.contains(std::string(field.name))) continue;
    const auto usual = std::find_if(kUsual.begin(), kUsual.end(), [&](const UsualNames& row) { return row.field == field.name; });
    if (usual == kUsual.end()) continue;
    bool found = false;
    for (const std::string& name : Words(usual->names)) {
      for (size_t i = 0; i < header.size() && !found; ++i) {
        if (used[i] || normalised[i] != name) continue;
        used[i] = found = true;
        plan.columns.push_back({&field, i});
      }
      if (found) break;
    }
  }
  std::sort(plan.columns.begin(), plan.columns.end(),
            [](const ColumnPlan::Column& a, const ColumnPlan::Column& b) { return a.field < b.field; });

  std::vector<std::string> missing;
  for (const InputField& field : FieldsOf(options.kind)) {
    const bool there = std::any_of(plan.columns.begin(), plan.columns.end(), [&](const auto& column) { return column.field == &field; });
    if (there) continue;
    if (IsRequired(options, field)) missing.emplace_back(field.name);
    else if (field.role == FieldRole::kNumber) plan.notes.push_back(fmt::format("no column for {}", field.name));
  }
  if (!missing.empty()) {
    std::vector<std::string> near;
    for (const std::string& name : missing) {
      const std::string nearest = NearestName(name, header);
      if (!nearest.empty()) near.push_back(fmt::format("{} is near {}", nearest, name));
    }
    return Status(Code::kData,
                  fmt::format("the file has no column for {}, which {} need: {} ({})", fmt::join(missing, ", "), InputKindName(options.kind), path,
                              shown_header()),
                  Domain::kInput)
        .WithRemedy(fmt::format("say which column it is in the config, e.g. inputs.{}.columns: {{{}: COLUMN}}{}{}", options.name, missing.front(),
                                near.empty() ? "" : "; ", fmt::join(near, ", ")));
  }
  for (const auto& column : plan.columns) plan.notes.push_back(fmt::format("{} -> {}", plan.has_header ? header[column.index] : fmt::format("#{}", column.index + 1), column.field->name));
  std::vector<std::string> unused;
  for (size_t i = 0; i < header.size() && plan.has_header; ++i) {
    if (!used[i]) unused.push_back(header[i]);
  }
  if (!unused.empty()) plan.notes.push_back(fmt::format("columns not read: {}", fmt::join(unused, ", ")));
  return plan;
}

}  // namespace tidecast
