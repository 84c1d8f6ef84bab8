/* The message of the rpcx benchmark: every string, bool and integer is set, 581 bytes in Protocol Buffers. */
#pragma once

#include <stdexcept>

#include "benchmark.pb.h"

inline pb::BenchmarkMessage request() {
  using Field = google::protobuf::FieldDescriptor;
  pb::BenchmarkMessage message;
  const auto* type = message.GetDescriptor();
  const auto* set = message.GetReflection();
  for (int i = 0; i < type->field_count(); i++) {
    const auto* field = type->field(i);
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING: set->SetString(&message, field, "许多往事在眼前一幕一幕，变的那麼模糊"); break;
      case Field::CPPTYPE_BOOL: set->SetBool(&message, field, true); break;
      case Field::CPPTYPE_INT32: set->SetInt32(&message, field, 100000); break;
      case Field::CPPTYPE_INT64: set->SetInt64(&message, field, 100000); break;
      default: throw std::logic_error(field->name());
    }
  }
  if (message.ByteSizeLong() != 581) throw std::logic_error("the request has not 581 bytes");
  return message;
}

/// What the server does with it.
inline void answer(pb::BenchmarkMessage& message) {
  message.set_field1("OK");
  message.set_field2(100);
}

/// What the client checks on each reply.
inline bool is_ok(const pb::BenchmarkMessage& reply) { return reply.field1() == "OK" && reply.field2() == 100; }
