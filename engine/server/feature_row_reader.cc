#include "engine/server/feature_row_reader.h"

#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

// Takes fields of the outermost object as they go by. Features may also stand in an object "features".
class RowHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  RowHandler() { row.numbers.reserve(8); }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t value) override { return Number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return Number(value); }
  bool string(string_t& value) override {
    if (depth_ == 1 && key_ == "ds") row.ds = value;
    if (depth_ == 1 && key_ == "view") row.view = value;
    return true;
  }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    ++depth_;
    return true;
  }
  bool key(string_t& value) override {
    key_ = value;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    ++depth_;
    return depth_ > 1;  // an array is no row
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  FeatureRow row;

 private:
  bool Number(double value) {
    if (depth_ > 2) return true;
    if (key_ == "revision") {
      row.revision = static_cast<uint32_t>(value);
    } else {
      row.numbers.emplace_back(key_, value);
    }
    return true;
  }

  std::string key_;
  int depth_ = 0;
};

}  // namespace

std::optional<double> FeatureRow::Feature(std::string_view name) const {
  for (const auto& [key, value] : numbers) {
    if (name.empty() || key == name) return value;
  }
  return std::nullopt;
}

std::optional<FeatureRow> ReadFeatureRow(std::string_view json) {
  RowHandler handler;
  if (!nlohmann::json::sax_parse(json, &handler) || handler.row.ds.empty()) return std::nullopt;
  return std::move(handler.row);
}

}  // namespace tidecast
