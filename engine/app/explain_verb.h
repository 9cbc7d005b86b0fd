#pragma once

namespace CLI {
class App;
}

namespace tidecast {

/// As the verbs of verbs.h.
void AddExplainVerb(CLI::App& app, int* exit_code);

}  // namespace tidecast
