#include "client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "benchmark.grpc.pb.h"
#include "message.h"
#include "window.h"

namespace {

using Clock = std::chrono::steady_clock;
using Stub = pb::Hello::Stub;

constexpr std::chrono::milliseconds kPause{5};  // after a failure

void End(Clock::time_point began, const grpc::Status& status, const pb::BenchmarkMessage& reply) {
  if (status.ok() && IsOk(reply)) {
    window::Done(Clock::now() - began);
    return;
  }
  window::Failed(status.ok() ? "a reply without OK and 100" : status.error_message());
  std::this_thread::sleep_for(kPause);
}

// A caller without a thread: the callback of a call starts the next one.
class CallbackCaller {
 public:
  explicit CallbackCaller(Stub* stub) : stub_(stub) {}

  void Next() {
    context_.emplace();
    began_ = Clock::now();
    stub_->async()->Say(&*context_, &request_, &reply_, [this](const grpc::Status& status) {
      End(began_, status, reply_);
      if (window::Running()) Next();
    });
  }

 private:
  Stub* stub_;
  pb::BenchmarkMessage request_ = MakeRequest(), reply_;
  std::optional<grpc::ClientContext> context_;
  Clock::time_point began_;
};

// The same on a completion queue.
class QueueCaller {
 public:
  QueueCaller(Stub* stub, grpc::CompletionQueue* queue) : stub_(stub), queue_(queue) {}

  void Next() {
    context_.emplace();
    began_ = Clock::now();
    reader_ = stub_->AsyncSay(&*context_, request_, queue_);
    reader_->Finish(&reply_, &status_, this);
  }

  void Ended() {
    End(began_, status_, reply_);
    if (window::Running()) Next();
  }

 private:
  Stub* stub_;
  grpc::CompletionQueue* queue_;
  pb::BenchmarkMessage request_ = MakeRequest(), reply_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<pb::BenchmarkMessage>> reader_;
  grpc::Status status_;
  Clock::time_point began_;
};

void RunQueue(grpc::CompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<QueueCaller*>(tag)->Ended();
}

void RunBlocking(Stub* stub) {
  const pb::BenchmarkMessage request = MakeRequest();
  pb::BenchmarkMessage reply;
  while (window::Running()) {
    grpc::ClientContext context;
    const auto began = Clock::now();
    const grpc::Status status = stub->Say(&context, request, &reply);
    End(began, status, reply);
  }
}

// Without the argument all channels to an address share a connection.
std::unique_ptr<Stub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return pb::Hello::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace

void Call(const Options& options) {
  // Stubs, queues and callers live until the process ends, which it does with calls under way.
  static std::vector<std::unique_ptr<Stub>> stubs;
  static std::vector<std::unique_ptr<grpc::CompletionQueue>> queues;
  for (int i = 0; i < options.conns; i++) stubs.push_back(Connect(options.address));
  const auto stub = [](int caller) { return stubs[static_cast<size_t>(caller) % stubs.size()].get(); };

  if (options.flavor == "blocking") {
    for (int i = 0; i < options.concurrency; i++) std::thread(RunBlocking, stub(i)).detach();
  } else if (options.flavor == "queue") {
    static std::vector<std::unique_ptr<QueueCaller>> callers;
    const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < threads; i++) {
      queues.push_back(std::make_unique<grpc::CompletionQueue>());
      std::thread(RunQueue, queues.back().get()).detach();
    }
    for (int i = 0; i < options.concurrency; i++) {
      // the callers of a connection on one queue
      auto* queue = queues[static_cast<size_t>(i % options.conns) % queues.size()].get();
      callers.push_back(std::make_unique<QueueCaller>(stub(i), queue));
      callers.back()->Next();
    }
  } else if (options.flavor == "callback") {
    static std::vector<std::unique_ptr<CallbackCaller>> callers;
    for (int i = 0; i < options.concurrency; i++) {
      callers.push_back(std::make_unique<CallbackCaller>(stub(i)));
      callers.back()->Next();
    }
  } else {
    throw std::invalid_argument("--flavor " + options.flavor + ": a client has callback, queue and blocking");
  }
  window::Run(options);
}
