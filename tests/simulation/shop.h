#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/core/record.h"
#include "engine/runtime/engine_options.h"

namespace tidecast::simulation {

struct ShopSpec {
  uint64_t seed = 1;
  int32_t partitions = 2;
  int series = 6;
  int days = 14;
  int orders_a_day = 10;
  bool facts = false;  ///< also catalog, promotions and inventory
  bool unruly = true;  ///< out of order by less than the bound; duplicated and undecodable records among them
  bool late = true;    ///< also late by more: revisions, and events that are too late
  OpenRule open = OpenRule::kAll;
  bool grouped = false;     ///< also views by all, country and customer; with facts by category, which changes
  Duration idle_timeout{};  ///< of orders and clicks; 0: never idle
};

/// A small shop: the engine's options, and the records of its input topics in the order in which they are fed.
struct Shop {
  ShopSpec spec;
  EngineOptions options;
  std::vector<OutputRecord> records;
  std::vector<std::string> input_topics;
};

/// The start of the shop's first day.
EventTime ShopStart();
Shop MakeShop(const ShopSpec& spec);
/// The record of one order: for tests that write their own.
OutputRecord MakeOrder(const std::string& sku, EventTime time, int quantity, const std::string& order_id,
                       const std::string& customer);

/// What the inputs come to, computed plainly from the records: the windows' final rows and what became of each record.
struct ShopTruth {
  struct Row {
    int64_t units = 0;
    int64_t returns = 0;
    int64_t views = 0;
    int64_t customers = 0;
    bool operator==(const Row&) const = default;
  };
  /// By view/series and day, days without an event left out. Not of the view `category`: which one holds when an event
  /// comes depends on how far the catalog was read.
  std::map<std::pair<std::string, std::string>, Row> rows;
  int64_t read = 0;
  int64_t accepted = 0;
  int64_t duplicates = 0;
  std::multiset<std::string> late;  ///< values of the records that came too late
  std::multiset<std::string> dead;  ///< values of the records that cannot be decoded
};
ShopTruth ComputeTruth(const Shop& shop);

}  // namespace tidecast::simulation
