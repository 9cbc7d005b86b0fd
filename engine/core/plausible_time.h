#pragma once

#include "engine/core/time.h"

namespace tidecast {

/// Years 1 to 9999, which is what calendars can tell and sums of times and durations bear. Events beyond are refused,
/// so what else is stored is damage.
inline bool IsPlausible(EventTime t) {
  return t >= EventTime::FromSeconds(-62'135'596'800) && t < EventTime::FromSeconds(253'402'300'800);
}

}  // namespace tidecast
