/* Many calls, summed up. */
#include <algorithm>
#include <atomic>

#include "driver.hpp"

namespace {

using Clock = std::chrono::steady_clock;

/// Replaces `$i`, which stands for the number of the call.
Json numbered(const Json& args, size_t index) {
  if (args.is_string()) {
    auto text = args.get<std::string>();
    if (text == "$i") return index;
    for (size_t at; (at = text.find("$i")) != std::string::npos;) text.replace(at, 2, std::to_string(index));
    return text;
  }
  if (!args.is_structured()) return args;
  Json out = args;
  for (auto& item : out) item = numbered(item, index);
  return out;
}

/// What `Arith` must answer; none where the driver does not know.
std::optional<Json> expected(const PreparedCall& call, const Json& args) {
  if (call.service != "Arith" || call.reply != ReplyAs::value || !args.is_object()) return std::nullopt;
  messages::ArithArgs given;
  form::read(form::Form::line, args, given);
  const auto a = static_cast<uint64_t>(given.a), b = static_cast<uint64_t>(given.b);
  uint64_t c = 0;
  if (call.name == "Mul") c = a * b;
  else if (call.name == "Add") c = a + b;
  else if (call.name == "Div" && given.b == -1) c = 0 - a;
  else if (call.name == "Div" && given.b != 0) c = static_cast<uint64_t>(given.a / given.b);
  else return std::nullopt;
  return Json{{"C", form::write(form::Form::line, static_cast<int64_t>(c))}};
}

/// A burst under way: `concurrency` callers, each of whose callbacks starts the next call.
class Burst : public std::enable_shared_from_this<Burst> {
 public:
  Burst(Driver& driver, Json id, PreparedCall call, size_t count, size_t callers)
      : driver_(driver), id_(std::move(id)), call_(std::move(call)), count_(count), callers_(callers) {
    numbered_ = call_.args && numbered(*call_.args, 0) != *call_.args;
    took_.reserve(count);
  }

  /// Makes calls until all were made; goes on when the answer of one has come.
  void caller() {
    for (;;) {
      const size_t index = next_++;
      if (index >= count_) return leave();
      const auto began = Clock::now();
      auto self = shared_from_this();
      const auto started = start(index, [self, index, began](const rpcx::Result<rpcx::Reply>& result) {
        self->ended(index, began, result);
        self->caller();
      });
      if (started) return;
      ended(index, began, started.error());
    }
  }

 private:
  template <typename Done>
  rpcx::Result<void> start(size_t index, Done done) {
    if (!numbered_) return call_.method.call(call_.payload, *call_.options).start(std::move(done));
    auto payload = call_.shape.encode(call_.type, numbered(*call_.args, index));
    if (!payload) return std::move(payload).error();
    return call_.method.call(*payload, *call_.options).start(std::move(done));
  }

  void ended(size_t index, Clock::time_point began, const rpcx::Result<rpcx::Reply>& result) {
    const std::chrono::duration<double, std::milli> took = Clock::now() - began;
    const bool right = !result || is_right(index, *result);
    const std::lock_guard<std::mutex> held(lock_);
    took_.push_back(took.count());
    if (result) {
      servers_[std::string(result->server())]++;
      wrong_ += !right;
    } else {
      errors_[std::string(result.error().kind_name())]++;
    }
  }

  bool is_right(size_t index, const rpcx::Reply& reply) const {
    if (!call_.args) return true;
    const auto wanted = expected(call_, numbered(*call_.args, index));
    if (!wanted) return true;
    const auto got = call_.shape.show(call_.type, reply.payload());
    return got && *got == *wanted;
  }

  void leave() {
    if (--callers_ > 0) return;
    const std::chrono::duration<double> took = Clock::now() - began_;
    std::sort(took_.begin(), took_.end());
    const auto quantile = [this](double of) { return took_[static_cast<size_t>(of * static_cast<double>(took_.size() - 1))]; };
    driver_.end(id_, good({{"count", count_},
                           {"errors", errors_},
                           {"wrong", wrong_},
                           {"servers", servers_},
                           {"calls_per_s", static_cast<double>(count_) / std::max(took.count(), 1e-9)},
                           {"p50_ms", quantile(0.5)},
                           {"p99_ms", quantile(0.99)}}));
  }

  Driver& driver_;
  const Json id_;
  const PreparedCall call_;
  const size_t count_;
  const Clock::time_point began_ = Clock::now();
  bool numbered_ = false;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> callers_;
  std::mutex lock_;
  std::map<std::string, uint64_t> errors_ = {}, servers_ = {};
  uint64_t wrong_ = 0;
  std::vector<double> took_;
};

size_t at_least_one(Fields& fields, const char* name) {
  const auto count = fields.count(name).value_or(1);
  if (count == 0) throw Misuse(std::string(name) + ": 0 is too few");
  return count;
}

}  // namespace

void burst(Driver& driver, const Json& id, const Named& client, Fields& fields) {
  const auto count = at_least_one(fields, "count"), concurrency = at_least_one(fields, "concurrency");
  // Arguments that do not fit are refused before the first call.
  auto args = fields.take("args");
  if (args) fields.put("args", numbered(*args, 0));
  auto call = read_call(fields, client);
  if (call.args && args) call.args = args;
  driver.begin(id);
  const auto callers = std::min(count, concurrency);
  const auto burst = std::make_shared<Burst>(driver, id, std::move(call), count, callers);
  for (size_t i = 0; i < callers; i++) burst->caller();
}
