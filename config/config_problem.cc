#include "config/config_problem.h"

#include <array>

namespace tidecast {
namespace {

constexpr std::array kCodes = {
    ProblemCode{"TC0101", "The file is not YAML.", "Mind the indentation and the colon behind each key; JSON is read too."},
    ProblemCode{"TC0102", "A key stands twice in one section.", "Keep one of the two; YAML would silently take the last."},
    ProblemCode{"TC0103", "A key is not known here.", "Check its spelling and its section; `tidecast init --full` shows every key."},
    ProblemCode{"TC0104", "A value has the wrong shape: a section, a list or a single value is needed.", "Look at the example of the key in config/README.md."},
    ProblemCode{"TC0105", "A value lies outside of its range.", "Take a value within the range that is named."},
    ProblemCode{"TC0106", "A duration or an amount of bytes has no unit or one that is not known.", "Write 500ms, 30s, 5m, 2h, 1d or 1w; bytes as 64KiB, 512MiB or 2GiB."},
    ProblemCode{"TC0107", "A value is none of the allowed words.", "Take one of the words that are listed."},
    ProblemCode{"TC0108", "A needed key is missing.", "Add it; the message shows an example."},
    ProblemCode{"TC0109", "A time zone is not known on this machine.", "Use a name such as Europe/London; the package tzdata must be installed."},
    ProblemCode{"TC0110", "A JSON pointer is not well formed.", "Write a slash before each step, e.g. /order/quantity."},
    ProblemCode{"TC0111", "A name refers to something that is not in the config.", "Name an input, feature or field that exists."},
    ProblemCode{"TC0112", "Two settings contradict one another.", "Change one of the two that are named."},
    ProblemCode{"TC0113", "A Kafka setting is one of the Java client's only.", "Tidecast uses librdkafka: take the name that the message gives."},
    ProblemCode{"TC0114", "A Kafka setting is kept by Tidecast itself, because exactly-once depends on it.", "Leave it out."},
    ProblemCode{"TC0115", "${...} stands where it is not replaced.", "Only secrets are read from files, as ${file:/path}."},
    ProblemCode{"TC0116", "A secret's file cannot be read.", "Make the file and let the user that runs tidecast read it."},
    ProblemCode{"TC0117", "The server would listen beyond this machine without authentication.", "Bind 127.0.0.1, or set `insecure: true` if you mean it."},
    ProblemCode{"TC0118", "An override by flag or environment does not name a key.", "Write --set section.key=value or TIDECAST__SECTION__KEY=value."},
};

}  // namespace

std::span<const ProblemCode> ProblemCodes() { return kCodes; }

std::optional<ProblemCode> ExplainProblemCode(std::string_view code) {
  for (const ProblemCode& row : kCodes) {
    if (row.code == code) return row;
  }
  return std::nullopt;
}

}  // namespace tidecast
