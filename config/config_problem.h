#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidecast {

/// Where something stands in the config. Lines and columns count from 1; 0 = not in the file.
struct ConfigPlace {
  int line = 0;
  int column = 0;
  int length = 1;       ///< letters to underline
  std::string origin;   ///< instead of a line: "environment variable TIDECAST__THREADS", "flag --set threads=0"
};

/// One thing that is wrong with a config, with all that a person needs to put it right.
struct ConfigProblem {
  std::string code;         ///< "TC0103"; ExplainProblemCode tells about it
  std::string what;
  ConfigPlace place;
  std::string source_line;  ///< text of the line, secrets masked
  std::string why;
  std::string remedy;       ///< printed as `= try:`
  int source_column = 0;    ///< of the place in `source_line`, from 1: a mask may have moved it
};

/// A code's row of the table of errors.
struct ProblemCode {
  std::string_view code;
  std::string_view sentence;
  std::string_view remedy;
};

/// All codes, for `tidecast help` and the reference.
std::span<const ProblemCode> ProblemCodes();
/// Nothing when there is no such code.
std::optional<ProblemCode> ExplainProblemCode(std::string_view code);

}  // namespace tidecast
