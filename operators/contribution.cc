#include "operators/contribution.h"

namespace tidecast {

void EncodeRow(const Accumulator& layout, const int64_t* slots, const std::vector<RowSketch>& sketches,
               ByteWriter& out) {
  out.Varint(layout.slots());
  for (size_t i = 0; i < layout.slots(); ++i) {
    if (!layout.IsSketchSlot(i)) {
      out.SignedVarint(slots[i]);
    } else if (slots[i] == 0) {
      out.U8(0);
    } else {
      sketches[static_cast<size_t>(slots[i] - 1)].sketch.Encode(out.U8(1));
    }
  }
}

Status DecodeRow(const Accumulator& layout, std::string_view bytes, DecodedRow* row) {
  ByteReader in(bytes);
  if (const uint64_t slots = in.Varint(); slots != layout.slots()) {
    return Status(Code::kConfig,
                  fmt::format("a contribution has {} slots, the view's features have {}", slots, layout.slots()),
                  Domain::kInput)
        .WithRemedy("go back to the old features, or give the view a new name");
  }
  row->slots.assign(layout.slots(), 0);
  row->sketches.clear();
  for (const Accumulator::Column& column : layout.columns()) {
    if (column.aggregate != Aggregate::kDistinct) continue;
    row->sketches.emplace_back().feature = static_cast<uint16_t>(&column - layout.columns().data());
  }
  size_t next_sketch = 0;
  for (size_t i = 0; i < layout.slots(); ++i) {
    if (!layout.IsSketchSlot(i)) {
      row->slots[i] = in.SignedVarint();
      continue;
    }
    const size_t sketch = next_sketch++;
    if (in.U8() == 0) continue;
    TC_RETURN_IF_ERROR(row->sketches[sketch].sketch.Decode(in));
    row->slots[i] = static_cast<int64_t>(sketch + 1);
  }
  return in.Finish("contribution");
}

}  // namespace tidecast
