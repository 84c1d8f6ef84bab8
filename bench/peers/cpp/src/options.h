// The command line.
#pragma once

#include <string>

// What the caller of the program asks for; times in seconds.
struct Options {
  std::string address;
  std::string flavor;
  int conns = 1;
  int concurrency = 1;
  double seconds = 3;
  double warmup = 0.7;
  std::string server_pid;  // empty: none
};
