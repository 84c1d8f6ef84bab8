/* Waiting for the end that a supervisor or a person asks for. */
#pragma once

#include <csignal>
#include <pthread.h>

/// SIGTERM and SIGINT. Made before any thread is: all threads then leave them to wait().
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }

  void wait() const {
    int number = 0;
    sigwait(&set_, &number);
  }

 private:
  sigset_t set_{};
};
