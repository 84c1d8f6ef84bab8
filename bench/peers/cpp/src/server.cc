#include "server.h"

#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "benchmark.grpc.pb.h"
#include "message.h"

namespace {

class CallbackHello final : public pb::Hello::CallbackService {
  grpc::ServerUnaryReactor* Say(grpc::CallbackServerContext* context, const pb::BenchmarkMessage* request,
                                pb::BenchmarkMessage* reply) override {
    Answer(*request, reply);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class BlockingHello final : public pb::Hello::Service {
  grpc::Status Say(grpc::ServerContext* /*context*/, const pb::BenchmarkMessage* request,
                   pb::BenchmarkMessage* reply) override {
    Answer(*request, reply);
    return grpc::Status::OK;
  }
};

}  // namespace

void Serve(const Options& options) {
  CallbackHello callback;
  BlockingHello blocking;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials());
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 100'000);
  if (options.flavor == "callback") {
    builder.RegisterService(&callback);
  } else if (options.flavor == "blocking") {
    builder.RegisterService(&blocking);
  } else {
    throw std::invalid_argument("--flavor " + options.flavor + ": a server has callback and blocking");
  }
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + options.address);
  server->Wait();
}
