// The message of the rpcx benchmark.
#pragma once

#include "benchmark.pb.h"

// What a client sends: every field set but `field5`.
pb::BenchmarkMessage MakeRequest();

// What a server makes of it. The library hands out the request as const, hence the copy.
void Answer(const pb::BenchmarkMessage& request, pb::BenchmarkMessage* reply);

// Whether a reply is what a client expects.
bool IsOk(const pb::BenchmarkMessage& reply);
