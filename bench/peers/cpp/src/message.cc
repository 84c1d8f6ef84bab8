#include "message.h"

#include <stdexcept>

namespace {

constexpr char kText[] = "许多往事在眼前一幕一幕，变的那麼模糊";
constexpr size_t kSize = 581;

}  // namespace

pb::BenchmarkMessage MakeRequest() {
  using Field = google::protobuf::FieldDescriptor;
  pb::BenchmarkMessage message;
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); i++) {
    const Field* field = descriptor->field(i);
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING: reflection->SetString(&message, field, kText); break;
      case Field::CPPTYPE_BOOL: reflection->SetBool(&message, field, true); break;
      case Field::CPPTYPE_INT32: reflection->SetInt32(&message, field, 100'000); break;
      case Field::CPPTYPE_INT64: reflection->SetInt64(&message, field, 100'000); break;
      default: throw std::logic_error(field->full_name() + " has a type that the message does not have");
    }
  }
  if (message.ByteSizeLong() != kSize) throw std::logic_error("the message does not have 581 bytes");
  return message;
}

void Answer(const pb::BenchmarkMessage& request, pb::BenchmarkMessage* reply) {
  *reply = request;
  reply->set_field1("OK");
  reply->set_field2(100);
}

bool IsOk(const pb::BenchmarkMessage& reply) { return reply.field1() == "OK" && reply.field2() == 100; }
