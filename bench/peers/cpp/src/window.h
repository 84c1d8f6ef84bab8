// The measured window, and the report of one JSON line.
#pragma once

#include <chrono>
#include <string>

#include "options.h"

namespace window {

// Whether callers shall make another call. Any thread, as the two below.
bool Running();

// A call has ended well.
void Done(std::chrono::nanoseconds took);

// A call has failed.
void Failed(const std::string& what);

// Waits for the end of warm-up and window, prints the report, and ends the process.
[[noreturn]] void Run(const Options& options);

}  // namespace window
