#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "engine/core/stateful.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidecast {

/// Stored rows out of a fuzzer's input, as a part's StateReader finds them; and back, to write inputs from real rows.
/// A row: family u8, key with its length in one byte, value with its length in two.
/// Thread: confined.
class FuzzRows final : public StateReader, public DeltaSink {
 public:
  static constexpr size_t kRowsMax = 256;

  void Read(FuzzInput& input) {
    while (!input.empty() && rows_.size() < kRowsMax) {
      const auto family = static_cast<Family>(input.Below(kFamilies));
      const std::string key(input.Text());
      rows_[{family, key}] = input.LongText();
    }
  }
  std::string Encode() const {
    std::string out;
    for (const auto& [at, value] : rows_) {
      out += static_cast<char>(at.first);
      out += static_cast<char>(at.second.size());
      out += at.second;
      out += static_cast<char>(value.size() >> 8);
      out += static_cast<char>(value.size());
      out += value;
    }
    return out;
  }

  void Put(Family family, std::string_view key, std::string_view value) override {
    rows_[{family, std::string(key)}] = value;
  }
  void Delete(Family family, std::string_view key) override { rows_.erase({family, std::string(key)}); }
  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    const auto found = rows_.find({family, std::string(key)});
    if (found == rows_.end()) return false;
    *value = found->second;
    return true;
  }
  Status Scan(Family family, std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (auto row = rows_.lower_bound({family, std::string(std::max(prefix, from))});
         row != rows_.end() && row->first.first == family; ++row) {
      if (!row->first.second.starts_with(prefix) || !visit(row->first.second, row->second)) break;
    }
    return Status::Ok();
  }

  std::map<std::pair<Family, std::string>, std::string>& rows() { return rows_; }

 private:
  std::map<std::pair<Family, std::string>, std::string> rows_;
};

}  // namespace tidecast
