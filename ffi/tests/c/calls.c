/* Every kind and form of call, and what comes beside: options, metadata, batches, pushes, statistics. */
#include <poll.h>

#include "check.h"

static void waiting(rpcx_method *method) {
  rpcx_reply *reply = NULL;
  OK(rpcx_method_call_wait(method, rpcx_text("hello"), NULL, &reply));
  CHECK(is(rpcx_reply_payload(reply), "hello"));
  CHECK(rpcx_reply_attempts(reply) == 1 && rpcx_reply_server(reply).len > 0 && rpcx_reply_parts(reply) == 0);
  rpcx_reply_free(reply);
}

static void callback(rpcx_method *method) {
  outcome outcome = OUTCOME;
  rpcx_completion completion = into(&outcome);
  rpcx_call *call = NULL;
  OK(rpcx_method_call(method, rpcx_text("hello"), NULL, &completion, &call));
  rpcx_call_free(call);
  WAIT_FOR(&outcome.done, 1);
  CHECK(!outcome.error && is(rpcx_reply_payload(outcome.reply), "hello"));
  finish(&outcome);
}

static void queue(rpcx_method *method, uint32_t flags) {
  enum { CALLS = 50 };
  rpcx_queue *queue = NULL;
  OK(rpcx_queue_new(flags, &queue));
  CHECK(rpcx_queue_fd(queue) == -1);
  for (uint64_t tag = 0; tag < CALLS; tag++) {
    OK(rpcx_method_call_queue(method, rpcx_text("hello"), NULL, queue, tag, NULL));
  }
  bool seen[CALLS] = {false};
  for (int left = CALLS; left > 0;) {
    rpcx_event events[7];
    size_t count = 0;
    OK(rpcx_queue_wait(queue, events, sizeof *events, 7, 20000, &count));
    CHECK(count > 0 && count <= 7);
    for (size_t i = 0; i < count; i++, left--) {
      CHECK(events[i].kind == RPCX_EVENT_REPLY && events[i].struct_size == sizeof *events);
      CHECK(events[i].tag < CALLS && !seen[events[i].tag]);
      seen[events[i].tag] = true;
      CHECK(!events[i].error && is(rpcx_reply_payload(events[i].reply), "hello"));
      rpcx_reply_free(events[i].reply);
    }
  }
  rpcx_event event;
  size_t count = 9;
  OK(rpcx_queue_poll(queue, &event, sizeof event, 1, &count));
  CHECK(count == 0);
  OK(rpcx_queue_wait(queue, &event, sizeof event, 1, 1, &count));
  CHECK(count == 0);
  rpcx_queue_close(queue);
  FAILS(rpcx_queue_wait(queue, &event, sizeof event, 1, UINT32_MAX, &count), RPCX_ERROR_CLOSED, "queue is closed");
  rpcx_queue_free(queue);
}

static void descriptor(rpcx_method *method) {
  rpcx_queue *queue = NULL;
  OK(rpcx_queue_new(RPCX_QUEUE_FD, &queue));
  struct pollfd wait = {.fd = rpcx_queue_fd(queue), .events = POLLIN};
  CHECK(poll(&wait, 1, 0) == 0);
  OK(rpcx_method_call_queue(method, rpcx_text("1"), NULL, queue, 1, NULL));
  OK(rpcx_method_call_queue(method, rpcx_text("2"), NULL, queue, 2, NULL));
  rpcx_event event;
  size_t count = 0;
  FAILS(rpcx_queue_wait(queue, &event, sizeof event, 1, 0, &count), RPCX_ERROR_CONFIG, "`queue`");
  for (int left = 2; left > 0; left -= (int)count) {
    CHECK(poll(&wait, 1, 20000) == 1);
    OK(rpcx_queue_poll(queue, &event, sizeof event, 1, &count));
    if (count) rpcx_reply_free(event.reply);
  }
  OK(rpcx_queue_poll(queue, &event, sizeof event, 1, &count));
  CHECK(count == 0 && poll(&wait, 1, 0) == 0);
  rpcx_queue_free(queue);
}

static void buffers(rpcx_method *method, rpcx_method *unknown) {
  static const char bytes[100000] = {'x'};
  count released = COUNT;
  rpcx_buffer buffer = {sizeof buffer, (const uint8_t *)bytes, sizeof bytes, drop_counts, &released};
  rpcx_call_options options = {.struct_size = sizeof options, .buffer = &buffer};
  rpcx_slice none = {NULL, 0};
  rpcx_reply *reply = NULL;
  OK(rpcx_method_call_wait(method, none, &options, &reply));
  CHECK(rpcx_reply_payload(reply).len == sizeof bytes && !memcmp(rpcx_reply_payload(reply).data, bytes, sizeof bytes));
  WAIT_FOR(&released, 1);
  FAILS(rpcx_method_call_wait(method, rpcx_text("too"), &options, &reply), RPCX_ERROR_CONFIG, "`payload`");
  WAIT_FOR(&released, 2);
  FAILS(rpcx_method_call_wait(unknown, none, &options, &reply), RPCX_ERROR_SERVICE, "Nothing");
  WAIT_FOR(&released, 3);
  rpcx_reply_free(reply);
}

static void errors(rpcx_client *client) {
  rpcx_method *method = method_of(client, "Fail");
  rpcx_reply *reply = NULL;
  rpcx_error *error = rpcx_method_call_wait(method, rpcx_text(""), NULL, &reply);
  CHECK(error && !reply);
  CHECK(rpcx_error_kind(error) == RPCX_ERROR_SERVICE && !strcmp(rpcx_error_kind_name(error), "service"));
  CHECK(!strcmp(rpcx_error_reason(error), "service.error") && !strcmp(rpcx_error_message(error), "no such luck"));
  CHECK(rpcx_error_delivery(error) == RPCX_DELIVERY_ANSWERED && rpcx_error_attempts(error) == 1);
  CHECK(strstr(rpcx_error_server(error), "tcp@127.0.0.1:") && strstr(rpcx_error_text(error), "service.error"));
  CHECK(!rpcx_error_is_retryable(error, true));
  rpcx_error *again = rpcx_error_clone(error);
  rpcx_error_free(error);
  CHECK(!strcmp(rpcx_error_message(again), "no such luck"));
  rpcx_error_free(again);
  error = rpcx_error_new("overload.rate", rpcx_text("slower"));
  CHECK(rpcx_error_kind(error) == RPCX_ERROR_OVERLOAD && !rpcx_error_server(error));
  rpcx_error_free(error);
  rpcx_method_free(method);
}

static void cancellation(rpcx_client *client, held *held) {
  rpcx_method *method = method_of(client, "Hold");
  outcome outcome = OUTCOME, cancelled = OUTCOME;
  rpcx_completion completion = into(&outcome), on_cancel = into(&cancelled);
  rpcx_call *call = NULL;
  int before = read_count(&held->came);
  OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, &call));
  WAIT_FOR(&held->came, before + 1);
  rpcx_request *request = held->requests[before];
  CHECK(!rpcx_request_is_cancelled(request));
  OK(rpcx_request_on_cancel(request, &on_cancel));
  rpcx_call_cancel(call);
  rpcx_call_cancel(call);
  WAIT_FOR(&outcome.done, 1);
  CHECK(rpcx_error_kind(outcome.error) == RPCX_ERROR_CANCELLED);
  finish(&outcome);
  rpcx_call_free(call);
  WAIT_FOR(&cancelled.done, 1);
  CHECK(!cancelled.reply && !cancelled.error && rpcx_request_is_cancelled(request));
  finish(&cancelled);
  OK(rpcx_request_answer(request, rpcx_text("late")));

  rpcx_call_options options = {.struct_size = sizeof options, .timeout_ms = 50};
  rpcx_reply *reply = NULL;
  FAILS(rpcx_method_call_wait(method, rpcx_text("x"), &options, &reply), RPCX_ERROR_TIMEOUT, "");
  WAIT_FOR(&held->came, before + 2);
  rpcx_request_free(held->requests[before + 1]);
  rpcx_method_free(method);
}

/* Sends metadata to Hold and looks at it there, then at the answer's. */
static void metadata(rpcx_client *client, held *held) {
  rpcx_metadata *pairs = NULL;
  OK(rpcx_metadata_new(&pairs));
  OK(rpcx_metadata_set(pairs, rpcx_text("a"), rpcx_text("1")));
  OK(rpcx_metadata_set(pairs, rpcx_text("b"), rpcx_text("2")));
  OK(rpcx_metadata_set(pairs, rpcx_text("a"), rpcx_text("three")));
  OK(rpcx_metadata_set(pairs, rpcx_text("c"), rpcx_text("4")));
  CHECK(rpcx_metadata_remove(pairs, rpcx_text("c")) && !rpcx_metadata_remove(pairs, rpcx_text("c")));
  CHECK(rpcx_metadata_len(pairs) == 2);

  rpcx_method *method = method_of(client, "Hold");
  outcome outcome = OUTCOME;
  rpcx_completion completion = into(&outcome);
  rpcx_call_options options = {.struct_size = sizeof options, .metadata = pairs};
  int before = read_count(&held->came);
  OK(rpcx_method_call(method, rpcx_text("x"), &options, &completion, NULL));
  rpcx_metadata_free(pairs);
  WAIT_FOR(&held->came, before + 1);
  rpcx_request *request = held->requests[before];
  CHECK(is(rpcx_request_service(request), "Test") && is(rpcx_request_method(request), "Hold"));
  CHECK(rpcx_request_serialize_type(request) == RPCX_SERIALIZE_RAW && !rpcx_request_is_oneway(request));
  CHECK(rpcx_request_remaining_ms(request) > 20000 && rpcx_request_remaining_ms(request) <= 30000);
  CHECK(rpcx_request_peer(request).len > 0 && rpcx_request_tls_subject(request).len == 0);
  rpcx_slice key, value;
  size_t cursor = 0;
  int seen = 0;
  while (rpcx_metadata_next(rpcx_request_metadata(request), &cursor, &key, &value)) {
    seen += is(key, "a") && is(value, "three") ? 1 : is(key, "b") && is(value, "2") ? 10 : 0;
  }
  CHECK(seen == 11);
  CHECK(rpcx_metadata_get(rpcx_request_metadata(request), rpcx_text("b"), &value) && is(value, "2"));
  CHECK(!rpcx_metadata_get(rpcx_request_metadata(request), rpcx_text("none"), &value));
  rpcx_metadata *copy = NULL;
  OK(rpcx_metadata_clone(rpcx_request_metadata(request), &copy));
  OK(rpcx_request_set_metadata(request, rpcx_text("reply"), rpcx_text("yes")));
  OK(rpcx_request_answer(request, rpcx_text("done")));
  CHECK(rpcx_metadata_get(copy, rpcx_text("a"), NULL));
  rpcx_metadata_free(copy);
  WAIT_FOR(&outcome.done, 1);
  CHECK(rpcx_metadata_get(rpcx_reply_metadata(outcome.reply), rpcx_text("reply"), &value) && is(value, "yes"));
  finish(&outcome);
  rpcx_method_free(method);
}

/* A call for a request inherits its deadline and trace keys. */
static void parents(rpcx_client *client, held *held) {
  rpcx_metadata *pairs = NULL;
  OK(rpcx_metadata_new(&pairs));
  OK(rpcx_metadata_set(pairs, rpcx_text("traceparent"), rpcx_text("t")));
  OK(rpcx_metadata_set(pairs, rpcx_text("private"), rpcx_text("p")));
  rpcx_context *context = NULL, *of_request = NULL;
  OK(rpcx_context_new(5000, pairs, &context));
  rpcx_metadata_free(pairs);
  rpcx_method *method = method_of(client, "Hold");
  rpcx_call_options options = {.struct_size = sizeof options, .parent = context};
  outcome outcomes[2] = {OUTCOME, OUTCOME};
  int before = read_count(&held->came);
  for (int i = 0; i < 2; i++) {
    rpcx_completion completion = into(&outcomes[i]);
    OK(rpcx_method_call(method, rpcx_text("x"), &options, &completion, NULL));
    WAIT_FOR(&held->came, before + i + 1);
    rpcx_request *request = held->requests[before + i];
    rpcx_slice value;
    CHECK(rpcx_metadata_get(rpcx_request_metadata(request), rpcx_text("traceparent"), &value) && is(value, "t"));
    CHECK(!rpcx_metadata_get(rpcx_request_metadata(request), rpcx_text("private"), &value));
    CHECK(rpcx_request_remaining_ms(request) <= 5000);
    if (i == 0) {
      OK(rpcx_request_context(request, &of_request));
      options.parent = of_request;
    }
  }
  for (int i = 0; i < 2; i++) {
    OK(rpcx_request_answer(held->requests[before + i], rpcx_text("")));
    finish(&outcomes[i]);
  }
  rpcx_context_free(context);
  rpcx_context_free(of_request);
  rpcx_method_free(method);
}

/* A handler that makes two calls of its own, one for its request and one for nobody. */
typedef struct nesting {
  rpcx_method *hold;
  outcome outcomes[2];
} nesting;

static void nest(void *user_data, rpcx_request *request) {
  nesting *nesting = user_data;
  rpcx_context *context = NULL;
  OK(rpcx_request_context(request, &context));
  rpcx_call_options options = {.struct_size = sizeof options, .parent = context};
  for (int i = 0; i < 2; i++) {
    rpcx_completion completion = into(&nesting->outcomes[i]);
    OK(rpcx_method_call(nesting->hold, rpcx_text(i ? "alone" : "nested"), &options, &completion, NULL));
    options.parent = NULL;
  }
  rpcx_context_free(context);
  OK(rpcx_request_answer(request, rpcx_text("")));
}

static void calls_inside_a_handler(rpcx_client *client, held *held) {
  nesting nesting = {method_of(client, "Hold"), {OUTCOME, OUTCOME}};
  rpcx_server *server = NULL;
  OK(rpcx_server_new(NULL, &server));
  OK(rpcx_server_listen(server, "tcp@127.0.0.1:0"));
  add(server, "Nest", nest, &nesting);
  OK(rpcx_server_start_wait(server));
  rpcx_client *outer = open_client(rpcx_server_address(server, 0));
  rpcx_method *method = method_of(outer, "Nest");
  rpcx_metadata *pairs = NULL;
  OK(rpcx_metadata_new(&pairs));
  OK(rpcx_metadata_set(pairs, rpcx_text("traceparent"), rpcx_text("t")));
  rpcx_call_options options = {.struct_size = sizeof options, .metadata = pairs};
  rpcx_reply *reply = NULL;
  int before = read_count(&held->came);
  OK(rpcx_method_call_wait(method, rpcx_text("x"), &options, &reply));
  rpcx_reply_free(reply);
  rpcx_metadata_free(pairs);
  WAIT_FOR(&held->came, before + 2);
  for (int i = 0; i < 2; i++) {
    rpcx_request *request = held->requests[before + i];
    bool nested = is(rpcx_request_payload(request), "nested");
    CHECK(rpcx_metadata_get(rpcx_request_metadata(request), rpcx_text("traceparent"), NULL) == nested);
    OK(rpcx_request_answer(request, rpcx_text("")));
  }
  for (int i = 0; i < 2; i++) finish(&nesting.outcomes[i]);
  rpcx_method_free(nesting.hold);
  rpcx_method_free(method);
  rpcx_client_free(outer);
  rpcx_server_free(server);
}

static void fan_out(rpcx_method *method) {
  rpcx_call_options options = {.struct_size = sizeof options, .kind = RPCX_KIND_INFORM};
  rpcx_reply *reply = NULL;
  OK(rpcx_method_call_wait(method, rpcx_text("all"), &options, &reply));
  CHECK(rpcx_reply_parts(reply) == 2 && rpcx_reply_payload(reply).len == 0);
  for (size_t i = 0; i < 2; i++) {
    CHECK(is(rpcx_reply_payload(rpcx_reply_part(reply, i)), "all") && !rpcx_reply_part_error(reply, i));
    CHECK(rpcx_reply_part_server(reply, i).len > 0);
  }
  CHECK(!rpcx_reply_part(reply, 2) && !rpcx_reply_part_error(reply, 2));
  rpcx_reply_free(reply);
  const uint32_t kinds[] = {RPCX_KIND_BROADCAST, RPCX_KIND_FORK};
  for (size_t i = 0; i < 2; i++) {
    options.kind = kinds[i];
    OK(rpcx_method_call_wait(method, rpcx_text("all"), &options, &reply));
    CHECK(is(rpcx_reply_payload(reply), "all"));
    rpcx_reply_free(reply);
  }
}

static void without_answer(rpcx_client *client, held *held) {
  rpcx_method *method = method_of(client, "Hold");
  rpcx_call_options options = {.struct_size = sizeof options, .kind = RPCX_KIND_ONEWAY};
  rpcx_reply *reply = NULL;
  int before = read_count(&held->came);
  OK(rpcx_method_call_wait(method, rpcx_text("one"), &options, &reply));
  CHECK(rpcx_reply_payload(reply).len == 0);
  rpcx_reply_free(reply);
  OK(rpcx_method_oneshot(method, rpcx_text("two"), NULL));
  FAILS(rpcx_method_oneshot(method, rpcx_text("two"), &options), RPCX_ERROR_CONFIG, "`options.kind`");
  WAIT_FOR(&held->came, before + 2);
  for (int i = 0; i < 2; i++) {
    CHECK(rpcx_request_is_oneway(held->requests[before + i]));
    OK(rpcx_request_answer(held->requests[before + i], rpcx_text("")));
  }
  rpcx_method_free(method);
}

static void batches(rpcx_client *client) {
  rpcx_method *method = method_of(client, "Echo"), *fails = method_of(client, "Fail");
  rpcx_batch *batch = NULL;
  OK(rpcx_batch_new(&batch));
  rpcx_reply *reply = NULL;
  FAILS(rpcx_batch_call_wait(batch, &reply), RPCX_ERROR_CONFIG, "`batch`");
  for (int turn = 0; turn < 3; turn++) {
    OK(rpcx_batch_add(batch, method, rpcx_text("first"), NULL));
    OK(rpcx_batch_add(batch, fails, rpcx_text("second"), NULL));
    OK(rpcx_batch_add(batch, method, rpcx_text("third"), NULL));
    outcome outcome = OUTCOME;
    if (turn == 0) {
      OK(rpcx_batch_call_wait(batch, &reply));
    } else if (turn == 1) {
      rpcx_completion completion = into(&outcome);
      OK(rpcx_batch_call(batch, &completion, NULL));
      WAIT_FOR(&outcome.done, 1);
      reply = outcome.reply;
    } else {
      rpcx_queue *queue = NULL;
      rpcx_event event;
      size_t count = 0;
      OK(rpcx_queue_new(0, &queue));
      OK(rpcx_batch_call_queue(batch, queue, 77, NULL));
      OK(rpcx_queue_wait(queue, &event, sizeof event, 1, 20000, &count));
      CHECK(count == 1 && event.tag == 77);
      reply = event.reply;
      rpcx_queue_free(queue);
    }
    CHECK(rpcx_reply_parts(reply) == 3 && is(rpcx_reply_payload(rpcx_reply_part(reply, 0)), "first"));
    CHECK(!rpcx_reply_part(reply, 1) && rpcx_error_kind(rpcx_reply_part_error(reply, 1)) == RPCX_ERROR_SERVICE);
    CHECK(is(rpcx_reply_payload(rpcx_reply_part(reply, 2)), "third") && !rpcx_reply_part_error(reply, 2));
    if (turn == 1) {
      finish(&outcome);
    } else {
      rpcx_reply_free(reply);
    }
  }
  OK(rpcx_batch_add(batch, method, rpcx_text("never sent"), NULL));
  rpcx_batch_free(batch);
  rpcx_method_free(method);
  rpcx_method_free(fails);
}

typedef struct pushes {
  count came;
  count ended;
  count dropped;
} pushes;

static void on_push(void *user_data, rpcx_push *push) {
  pushes *pushes = user_data;
  if (!push) {
    raise_count(&pushes->ended);
    return;
  }
  rpcx_slice value;
  CHECK(is(rpcx_push_service(push), "News") && is(rpcx_push_method(push), "Flash"));
  CHECK(is(rpcx_push_payload(push), "stop press") && rpcx_push_server(push).len > 0);
  CHECK(rpcx_metadata_get(rpcx_push_metadata(push), rpcx_text("k"), &value) && is(value, "v"));
  rpcx_push_free(push);
  raise_count(&pushes->came);
}

static void drop_pushes(void *user_data) { raise_count(&((pushes *)user_data)->dropped); }

static void pushing(const char *address, held *held) {
  rpcx_client *client = open_client(address);
  pushes pushes = {COUNT, COUNT, COUNT};
  rpcx_subscriber subscriber = {sizeof subscriber, on_push, drop_pushes, &pushes};
  OK(rpcx_client_subscribe(client, &subscriber));
  rpcx_method *method = method_of(client, "Hold");
  outcome outcome = OUTCOME;
  rpcx_completion completion = into(&outcome);
  int before = read_count(&held->came);
  OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, NULL));
  WAIT_FOR(&held->came, before + 1);
  rpcx_request *request = held->requests[before];
  rpcx_metadata *pairs = NULL;
  rpcx_connection *connection = NULL;
  OK(rpcx_metadata_new(&pairs));
  OK(rpcx_metadata_set(pairs, rpcx_text("k"), rpcx_text("v")));
  OK(rpcx_request_push(request, "News", "Flash", pairs, rpcx_text("stop press")));
  OK(rpcx_request_connection(request, &connection));
  OK(rpcx_request_answer(request, rpcx_text("")));
  finish(&outcome);
  OK(rpcx_connection_push(connection, "News", "Flash", pairs, rpcx_text("stop press")));
  WAIT_FOR(&pushes.came, 2);
  CHECK(rpcx_connection_id(connection) > 0 && rpcx_connection_is_open(connection));
  CHECK(rpcx_connection_peer(connection).len > 0);
  rpcx_connection_close(connection);
  FAILS(rpcx_connection_push(connection, "News", "Flash", NULL, rpcx_text("")), RPCX_ERROR_CLOSED, "");
  CHECK(!rpcx_connection_is_open(connection));
  rpcx_connection_free(connection);
  rpcx_metadata_free(pairs);

  rpcx_queue *queue = NULL;
  OK(rpcx_queue_new(0, &queue));
  OK(rpcx_client_subscribe_queue(client, queue, 5));
  rpcx_client_close(client);
  WAIT_FOR(&pushes.ended, 1);
  WAIT_FOR(&pushes.dropped, 1);
  rpcx_event event;
  size_t count = 0;
  OK(rpcx_queue_wait(queue, &event, sizeof event, 1, 20000, &count));
  CHECK(count == 1 && event.kind == RPCX_EVENT_PUSH && event.tag == 5 && !event.push);
  rpcx_queue_free(queue);
  rpcx_method_free(method);
  rpcx_client_free(client);
}

static void nodes_and_options(const char *address) {
  rpcx_client *client = open_client(NULL);
  rpcx_method *method = method_of(client, "Echo");
  rpcx_reply *reply = NULL;
  FAILS(rpcx_method_call_wait(method, rpcx_text("x"), NULL, &reply), RPCX_ERROR_NO_SERVER, "");
  const char *bad[] = {"nonsense"};
  FAILS(rpcx_client_set_nodes(client, bad, 1), RPCX_ERROR_CONFIG, "nonsense");
  OK(rpcx_client_set_nodes(client, &address, 1));
  rpcx_config *config = NULL;
  OK(rpcx_config_new(RPCX_SCOPE_CALL, &config));
  OK(rpcx_config_set(config, "timeout", "10s"));
  FAILS(rpcx_config_set(config, "timeuot", "10s"), RPCX_ERROR_CONFIG, "timeout");
  FAILS(rpcx_config_set_threads(config, 1), RPCX_ERROR_CONFIG, "`config`");
  rpcx_call_options options = {.struct_size = sizeof options,
                               .timeout_ms = RPCX_NO_TIMEOUT,
                               .flags = RPCX_CALL_IDEMPOTENT,
                               .hash_key = rpcx_text("key"),
                               .target = rpcx_text(address),
                               .config = config};
  OK(rpcx_method_call_wait(method, rpcx_text("x"), &options, &reply));
  CHECK(is(rpcx_reply_server(reply), address));
  rpcx_reply_free(reply);
  options.target = rpcx_text("tcp@127.0.0.1:1");
  FAILS(rpcx_method_call_wait(method, rpcx_text("x"), &options, &reply), RPCX_ERROR_NO_SERVER, "");
  rpcx_config_free(config);
  OK(rpcx_client_set_nodes(client, NULL, 0));

  rpcx_string *text = NULL;
  OK(rpcx_client_stats_json(client, &text));
  CHECK(rpcx_string_data(text)[0] == '{' && rpcx_string_len(text) == strlen(rpcx_string_data(text)));
  rpcx_string_free(text);
  OK(rpcx_client_metrics_text(client, "one", &text));
  CHECK(strstr(rpcx_string_data(text), "# TYPE rpcx_client_"));
  rpcx_string_free(text);
  rpcx_method_free(method);
  OK(rpcx_client_shutdown_wait(client, 1000));
  rpcx_client_free(client);
}

static void tables(void) {
  rpcx_string *text = NULL;
  CHECK(rpcx_abi_version() == RPCX_ABI_VERSION && strchr(rpcx_version(), '.'));
  OK(rpcx_options_json(&text));
  CHECK(strstr(rpcx_string_data(text), "\"breaker.window\""));
  rpcx_string_free(text);
  OK(rpcx_errors_json(&text));
  CHECK(strstr(rpcx_string_data(text), "\"timeout.call\""));
  rpcx_string_free(text);
}

int main(void) {
  held held = {.came = COUNT};
  OK(rpcx_runtime_configure(2, "test"));
  rpcx_server *server = start_server(&held), *other = start_server(NULL);
  const char *address = rpcx_server_address(server, 0);
  rpcx_client *client = open_client(address), *both = open_client(NULL);
  const char *addresses[] = {address, rpcx_server_address(other, 0)};
  OK(rpcx_client_set_nodes(both, addresses, 2));
  rpcx_method *method = method_of(client, "Echo"), *unknown = method_of(client, "Nothing"), *at_all = method_of(both, "Echo");

  waiting(method);
  callback(method);
  queue(method, 0);
  queue(method, RPCX_QUEUE_DRIVE);
  descriptor(method);
  buffers(method, unknown);
  errors(client);
  cancellation(client, &held);
  metadata(client, &held);
  parents(client, &held);
  calls_inside_a_handler(client, &held);
  fan_out(at_all);
  without_answer(client, &held);
  batches(client);
  pushing(address, &held);
  nodes_and_options(address);
  tables();

  rpcx_method_free(method);
  rpcx_method_free(unknown);
  rpcx_method_free(at_all);
  rpcx_client_free(client);
  rpcx_client_free(both);
  OK(rpcx_server_shutdown_wait(server, 2000, false));
  rpcx_server_free(server);
  rpcx_server_free(other);
  return 0;
}
