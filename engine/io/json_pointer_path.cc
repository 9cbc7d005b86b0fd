#include "engine/io/json_pointer_path.h"

namespace tidecast {

Result<JsonPointerPath> JsonPointerPath::Parse(std::string_view text) {
  const auto bad = [text](std::string_view why) {
    return Status(Code::kConfig, fmt::format("bad JSON pointer, {}: \"{}\"", why, text), Domain::kInput)
        .WithRemedy("write a slash before each step, e.g. /order/quantity; ~1 stands for a slash in a name, ~0 for a tilde");
  };
  if (text.empty()) return bad("it is empty");
  if (text[0] != '/') return bad("it must begin with a slash");
  JsonPointerPath path;
  path.text = text;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      path.steps.emplace_back();
    } else if (text[i] == '~') {
      ++i;
      if (i == text.size() || (text[i] != '0' && text[i] != '1')) return bad("a ~ must be followed by 0 or 1");
      path.steps.back() += text[i] == '0' ? '~' : '/';
    } else {
      path.steps.back() += text[i];
    }
  }
  return path;
}

}  // namespace tidecast
