/* An interceptor that continues the trace of a call, or begins one (W3C Trace Context): what an exporter of spans would do. */
#pragma once

#include <cstdio>
#include <random>
#include <rpcx.hpp>

inline void continue_trace(rpcx::Interception call) {
  thread_local std::mt19937_64 random{std::random_device()()};
  const auto hex = [](uint64_t number) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number | 1));  // zero is no id
    return std::string(text);
  };
  // "00-<trace, 32 digits>-<parent, 16 digits>-<flags>": the parent is this span from now on.
  auto parent = std::string(call.metadata().get("traceparent").value_or(""));
  if (parent.size() == 55) {
    parent.replace(36, 16, hex(random()));
  } else {
    call.remove_metadata("tracestate");  // of a trace that nobody began
    parent = "00-" + hex(random()) + hex(random()) + "-" + hex(random()) + "-01";
  }
  if (const auto set = call.set_metadata("traceparent", parent); !set) std::fprintf(stderr, "%s\n", set.error().what());
  if (const auto passed = std::move(call).pass(); !passed) std::fprintf(stderr, "%s\n", passed.error().what());
}
