#include "models/net_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tidecast {
namespace {

constexpr uint32_t kMagic = 0x574E4354;  // "TCNW"
constexpr uint32_t kFormat = 1;

void PutText(std::string_view text, std::string* out) {
  const auto size = static_cast<uint32_t>(text.size());
  out->append(reinterpret_cast<const char*>(&size), sizeof size);
  out->append(text);
}

bool TakeNumber(std::string_view* bytes, uint32_t* number) {
  if (bytes->size() < sizeof *number) return false;
  std::memcpy(number, bytes->data(), sizeof *number);
  bytes->remove_prefix(sizeof *number);
  return true;
}

bool TakeText(std::string_view* bytes, std::string* text) {
  uint32_t size = 0;
  if (!TakeNumber(bytes, &size) || bytes->size() < size) return false;
  text->assign(bytes->substr(0, size));
  bytes->remove_prefix(size);
  return true;
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> names;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return names;
}

std::vector<int> Rows(const std::vector<std::string>& own, const std::vector<std::string>& theirs) {
  std::vector<int> rows;
  for (const std::string& name : own) {
    const auto found = std::find(theirs.begin(), theirs.end(), name);
    rows.push_back(found == theirs.end() ? -1 : static_cast<int>(found - theirs.begin()));
  }
  return rows;
}

}  // namespace

std::string NetWeights::Encode() const {
  std::string bytes;
  for (const uint32_t number : {kMagic, kFormat}) bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  for (const auto* list : {&names.inputs, &names.known, &names.statics}) PutText(Join(*list), &bytes);
  PutText(provenance, &bytes);
  PutText(blob, &bytes);
  return bytes;
}

Result<NetWeights> NetWeights::Decode(std::string_view bytes) {
  uint32_t magic = 0, format = 0;
  if (!TakeNumber(&bytes, &magic) || magic != kMagic || !TakeNumber(&bytes, &format)) {
    return Status(Code::kCorruption, "this is not a file of net weights: it does not begin with TCNW", Domain::kInput)
        .WithRemedy("give a file that `tidecast pretrain` wrote");
  }
  if (format != kFormat) {
    return Status(Code::kVersion, fmt::format("the net weights have format {}, this build reads {}", format, kFormat),
                  Domain::kInput)
        .WithRemedy("pretrain them again with this build");
  }
  NetWeights weights;
  std::string inputs, known, statics;
  if (!TakeText(&bytes, &inputs) || !TakeText(&bytes, &known) || !TakeText(&bytes, &statics) ||
      !TakeText(&bytes, &weights.provenance) || !TakeText(&bytes, &weights.blob) || !bytes.empty()) {
    return Status(Code::kCorruption, "the net weights are cut short or have a tail", Domain::kInput)
        .WithRemedy("copy the file again");
  }
  weights.names = {Split(inputs), Split(known), Split(statics)};
  return weights;
}

NetRows NetWeights::RowsFor(const NetNames& own) const {
  return {Rows(own.inputs, names.inputs), Rows(own.known, names.known), Rows(own.statics, names.statics)};
}

}  // namespace tidecast
