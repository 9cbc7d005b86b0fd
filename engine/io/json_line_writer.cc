#include "engine/io/json_line_writer.h"

#include <map>
#include <memory>

#include "engine/io/json_append.h"
#include "engine/io/json_pointer_path.h"

namespace tidecast {
namespace {

// An object of the shape: names in the order in which they were added.
struct Shape {
  struct Member {
    std::string name;
    size_t column = 0;
    bool number = false;
    std::unique_ptr<Shape> object;  // instead of a value
  };
  std::vector<Member> members;

  Member* Find(std::string_view name) {
    for (Member& member : members) {
      if (member.name == name) return &member;
    }
    return nullptr;
  }
};

}  // namespace

bool IsJsonNumber(std::string_view text) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const size_t whole_at = i;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[whole_at] == '0')) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

Result<JsonLineWriter> JsonLineWriter::Make(const InputOptions& options, const std::vector<ColumnPlan::Column>& columns) {
  struct Value {
    const InputField* field;
    size_t column;
  };
  std::vector<Value> values;
  bool has_line = false;
  for (const auto& column : columns) {
    values.push_back({column.field, column.index});
    has_line = has_line || column.field->name == "line";
  }
  const InputField* line = FindField(options.kind, "line");
  if (line != nullptr && !has_line) values.push_back({line, kLineNumber});

  Shape root;
  for (const Value& value : values) {
    TC_ASSIGN_OR_RETURN(const JsonPointerPath path, JsonPointerPath::Parse(PointerOf(options, value.field->name)));
    const auto inside = [&] {
      return Status(Code::kConfig, fmt::format("input {}: a field's pointer lies inside of another field's: {}", options.name, path.text), Domain::kInput)
          .WithRemedy("give each field of `fields` a place of its own");
    };
    Shape* shape = &root;
    for (size_t i = 0; i + 1 < path.steps.size(); ++i) {
      Shape::Member* member = shape->Find(path.steps[i]);
      if (member == nullptr) {
        shape->members.push_back({path.steps[i], 0, false, std::make_unique<Shape>()});
        member = &shape->members.back();
      }
      if (!member->object) return inside();
      shape = member->object.get();
    }
    if (const Shape::Member* taken = shape->Find(path.steps.back())) {
      // Two fields that read the same place are fed by the first one's column; a line number nobody asked for gives way.
      if (taken->object && value.column != kLineNumber) return inside();
      continue;
    }
    const bool number = value.field->role == FieldRole::kNumber || value.column == kLineNumber;
    shape->members.push_back({path.steps.back(), value.column, number, nullptr});
  }

  JsonLineWriter writer;
  std::string before;
  const auto flatten = [&](const auto& self, const Shape& shape) -> void {
    before += '{';
    for (size_t i = 0; i < shape.members.size(); ++i) {
      const Shape::Member& member = shape.members[i];
      if (i > 0) before += ',';
      AppendJsonString(member.name, &before);
      before += ':';
      if (member.object) {
        self(self, *member.object);
      } else {
        writer.pieces_.push_back({std::move(before), member.column, member.number});
        before.clear();
      }
    }
    before += '}';
  };
  flatten(flatten, root);
  writer.end_ = std::move(before);
  return writer;
}

void JsonLineWriter::Write(const std::vector<std::string_view>& cells, int64_t line, std::string* out) const {
  out->clear();
  for (const Piece& piece : pieces_) {
    out->append(piece.before);
    if (piece.column == kLineNumber) {
      fmt::format_to(std::back_inserter(*out), "{}", line);
    } else if (piece.number && IsJsonNumber(cells[piece.column])) {
      out->append(cells[piece.column]);
    } else {
      AppendJsonString(cells[piece.column], out);
    }
  }
  out->append(end_);
}

}  // namespace tidecast
