#pragma once

#include <vector>

#include "engine/app/order_series.h"
#include "operators/audit_advice.h"
#include "operators/series_audit.h"

namespace tidecast {

/// Writes an audit to stdout: its figures, its columns, then the advice by weight with a remedy each. `orders`: what
/// the file of orders held, or null for a series file.
void PrintAudit(const SeriesAudit& audit, const OrderFindings* orders, const std::vector<Advice>& advice);

/// The same as one JSON object, with every series.
void PrintAuditJson(const SeriesAudit& audit, const OrderFindings* orders, const std::vector<Advice>& advice);

}  // namespace tidecast
