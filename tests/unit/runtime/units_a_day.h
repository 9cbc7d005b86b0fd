#pragma once

#include "engine/runtime/task_plan.h"

namespace tidecast::testing {

/// One view: the units of each SKU and day, forecast.
inline EngineOptions UnitsADay() {
  EngineOptions options;
  options.name_space = "shop";
  options.instance = "i1";
  InputOptions orders;
  orders.name = "orders";
  orders.topic = "shop.orders";
  options.inputs = {orders};
  ViewOptions view;
  view.name = "sku";
  view.calendar.unit = BucketUnit::kDay;
  FeatureOptions units;
  units.name = "units";
  units.input = "orders";
  units.aggregate = Aggregate::kSum;
  view.features = {units};
  view.target = "units";
  options.views = {view};
  return options;
}

inline std::unique_ptr<TaskPlan> MakePlan(EngineOptions options) {
  auto plan = TaskPlan::Make(std::move(options), true, false);
  TC_CHECK(plan.ok(), "{}", plan.status().message());
  return std::move(plan).value();
}

}  // namespace tidecast::testing
