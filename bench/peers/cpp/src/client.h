// The closed loops.
#pragma once

#include "options.h"

// Measures, prints the report and ends the process. Callers are callbacks, tags of completion queues, or threads.
[[noreturn]] void Call(const Options& options);
