#include "operators/accumulator.h"

#include <algorithm>

#include "engine/core/hash.h"

namespace tidecast {

Result<Accumulator> Accumulator::Make(const ViewOptions& view, const std::vector<std::string>& input_names,
                                      const std::vector<InputKind>& input_kinds) {
  TC_CHECK_EQ(input_names.size(), input_kinds.size());
  Accumulator layout;
  layout.by_input_.resize(input_names.size());
  layout.zero_row_ = {0};
  layout.is_sketch_ = {false};
  const auto slot = [&layout](int64_t zero, bool sketch) {
    layout.zero_row_.push_back(zero);
    layout.is_sketch_.push_back(sketch);
  };
  for (const FeatureOptions& feature : view.features) {
    const auto input = std::find(input_names.begin(), input_names.end(), feature.input);
    if (input == input_names.end()) {
      return Status(Code::kConfig,
                    fmt::format("a feature reads an input that is not there: view {}, feature {}, input {}", view.name,
                                feature.name, feature.input),
                    Domain::kInput)
          .WithRemedy("name one of the inputs of the config");
    }
    Column column;
    column.aggregate = feature.aggregate;
    column.field = feature.field;
    column.sign = feature.sign;
    column.distinct = feature.distinct;
    column.absolute = feature.absolute;
    column.has_action = feature.action.has_value();
    column.action = feature.action.value_or(ClickAction::kOther);
    column.input = static_cast<uint16_t>(input - input_names.begin());
    column.is_fact = !IsClock(input_kinds[column.input]);
    column.slot = static_cast<uint16_t>(layout.zero_row_.size());
    const auto index = static_cast<uint16_t>(layout.columns_.size());
    if (feature.name == view.target) layout.target_input_ = column.input;
    layout.columns_.push_back(column);
    if (column.is_fact) {
      if (feature.aggregate == Aggregate::kLast) continue;
      return Status(
                 Code::kConfig,
                 fmt::format("facts are read as of the bucket's end, so only `last` makes sense: view {}, feature {}",
                             view.name, feature.name),
                 Domain::kInput)
          .WithRemedy("set aggregate: last");
    }
    layout.by_input_[column.input].push_back(index);
    switch (feature.aggregate) {
      case Aggregate::kMean:
        slot(0, false);
        slot(0, false);
        break;
      case Aggregate::kMax:
      case Aggregate::kMin:
        slot(kNone, false);
        break;
      case Aggregate::kLast:
        slot(kNone, false);
        slot(kNone, false);
        break;
      case Aggregate::kDistinct:
        slot(0, true);
        layout.has_distinct_ = true;
        break;
      default:
        slot(0, false);
    }
  }
  if (layout.columns_.empty()) {
    return Status(Code::kConfig, fmt::format("a view has no features: {}", view.name), Domain::kInput)
        .WithRemedy("give it at least its target");
  }
  layout.slots_ = layout.zero_row_.size();
  return layout;
}

bool Accumulator::WouldOverflow(const Event& event, const int64_t* row) const {
  for (const uint16_t f : by_input_[event.input]) {
    const Column& c = columns_[f];
    if (c.aggregate == Aggregate::kCount || c.aggregate == Aggregate::kDistinct || !event.Has(c.field)) continue;
    int64_t value = event.Number(c.field).micros;
    if (value == kNone) [[unlikely]]
      return true;
    if (row == nullptr || (c.aggregate != Aggregate::kSum && c.aggregate != Aggregate::kMean) || !Passes(c, event))
      continue;
    if (c.absolute && value < 0) value = -value;
    int64_t sum = 0;
    if (__builtin_add_overflow(row[c.slot], value, &sum)) [[unlikely]]
      return true;
  }
  return false;
}

uint64_t Accumulator::DistinctHash(const Column& c, const Event& e) {
  const auto of_text = [&e](TextField field) {
    const std::string_view text = e.texts[static_cast<size_t>(field)];
    return text.empty() ? 0 : Hash64(text);
  };
  switch (c.distinct) {
    case DistinctOf::kCustomer:
      return e.customer;
    case DistinctOf::kSession:
      return e.session;
    case DistinctOf::kCategory:
      return of_text(TextField::kCategory);
    case DistinctOf::kCountry:
      return of_text(TextField::kCountry);
  }
  return 0;
}

}  // namespace tidecast
