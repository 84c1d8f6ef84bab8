/* What a server does: answers later and elsewhere, queues, fallback, alias, tokens, interceptors, its end. */
#include "check.h"

static void answer_elsewhere(rpcx_client *client, held *held) {
  enum { CALLS = 20 };
  rpcx_method *method = method_of(client, "Hold");
  outcome outcomes[CALLS];
  int before = read_count(&held->came);
  for (int i = 0; i < CALLS; i++) {
    outcomes[i] = (outcome)OUTCOME;
    rpcx_completion completion = into(&outcomes[i]);
    char payload[12];
    snprintf(payload, sizeof payload, "%d", i);
    OK(rpcx_method_call(method, rpcx_text(payload), NULL, &completion, NULL));
  }
  WAIT_FOR(&held->came, before + CALLS);
  for (int i = CALLS - 1; i >= 0; i--) { /* this thread is no thread of the library */
    rpcx_request *request = held->requests[before + i];
    rpcx_slice payload = rpcx_request_payload(request);
    char *copy = malloc(payload.len);
    memcpy(copy, payload.data, payload.len);
    rpcx_buffer buffer = {sizeof buffer, (uint8_t *)copy, payload.len, free, copy};
    /* Calls that wait for a connection may leave in any order. */
    if ((payload.data[payload.len - 1] - '0') % 2) {
      OK(rpcx_request_answer_buffer(request, &buffer));
    } else {
      rpcx_error *error = rpcx_error_new("overload.rate", rpcx_text("come back later"));
      OK(rpcx_request_fail_with(request, error));
      rpcx_error_free(error);
      free(copy);
    }
  }
  for (int i = 0; i < CALLS; i++) {
    WAIT_FOR(&outcomes[i].done, 1);
    char payload[12];
    snprintf(payload, sizeof payload, "%d", i);
    if (i % 2) {
      CHECK(is(rpcx_reply_payload(outcomes[i].reply), payload));
    } else {
      CHECK(rpcx_error_kind(outcomes[i].error) == RPCX_ERROR_SERVICE);
      CHECK(!strcmp(rpcx_error_message(outcomes[i].error), "come back later"));
    }
    finish(&outcomes[i]);
  }
  rpcx_method_free(method);
}

static void dropped_is_a_panic(rpcx_client *client, held *held) {
  rpcx_method *method = method_of(client, "Hold");
  outcome outcome = OUTCOME;
  rpcx_completion completion = into(&outcome);
  int before = read_count(&held->came);
  OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, NULL));
  WAIT_FOR(&held->came, before + 1);
  rpcx_request_free(held->requests[before]);
  WAIT_FOR(&outcome.done, 1);
  CHECK(rpcx_error_kind(outcome.error) == RPCX_ERROR_SERVICE);
  finish(&outcome);
  rpcx_method_free(method);
}

/* A worker of the user's own that takes requests and tokens from a queue until it is closed. */
static void *work(void *user_data) {
  rpcx_queue *queue = user_data;
  for (;;) {
    rpcx_event events[4];
    size_t count = 0;
    rpcx_error *error = rpcx_queue_wait(queue, events, sizeof *events, 4, UINT32_MAX, &count);
    if (error) {
      CHECK(rpcx_error_kind(error) == RPCX_ERROR_CLOSED);
      rpcx_error_free(error);
      return NULL;
    }
    for (size_t i = 0; i < count; i++) {
      rpcx_request *request = events[i].request;
      if (events[i].kind == RPCX_EVENT_AUTH) {
        rpcx_auth *auth = events[i].auth;
        CHECK(events[i].tag == 3 && is(rpcx_auth_service(auth), "Queued") && rpcx_auth_method(auth).len > 0);
        CHECK(rpcx_auth_peer(auth).len > 0 && rpcx_auth_metadata(auth) && rpcx_auth_tls_subject(auth).len == 0);
        if (is(rpcx_auth_token(auth), "secret")) {
          rpcx_auth_accept(auth);
        } else {
          OK(rpcx_auth_refuse(auth, rpcx_text("who are you?")));
        }
        continue;
      }
      CHECK(events[i].kind == RPCX_EVENT_REQUEST);
      if (events[i].tag == 1) {
        CHECK(is(rpcx_request_method(request), "Echo"));
        OK(rpcx_request_answer(request, rpcx_request_payload(request)));
      } else {
        CHECK(events[i].tag == 2);
        OK(rpcx_request_answer(request, rpcx_request_method(request)));
      }
    }
  }
}

static rpcx_error *call(rpcx_client *client, const char *service, const char *name, const char *expected) {
  rpcx_method *method = NULL;
  rpcx_reply *reply = NULL;
  rpcx_error *error = rpcx_client_method(client, service, name, &method);
  if (!error) error = rpcx_method_call_wait(method, rpcx_text("payload"), NULL, &reply);
  CHECK(error || is(rpcx_reply_payload(reply), expected));
  rpcx_reply_free(reply);
  rpcx_method_free(method);
  return error;
}

static rpcx_client *with_token(const char *address, const char *token) {
  rpcx_config *config = NULL;
  rpcx_client *client = NULL;
  OK(rpcx_config_new(RPCX_SCOPE_CLIENT, &config));
  OK(rpcx_config_set(config, "serialize_type", "raw"));
  if (token) OK(rpcx_config_set(config, "auth", token));
  OK(rpcx_client_open(address, config, &client));
  rpcx_config_free(config);
  return client;
}

static void queues(void) {
  rpcx_queue *queue = NULL;
  rpcx_server *server = NULL;
  rpcx_config *config = NULL;
  OK(rpcx_queue_new(0, &queue));
  OK(rpcx_config_new(RPCX_SCOPE_SERVER, &config));
  OK(rpcx_config_set(config, "max_connections", "10"));
  OK(rpcx_config_set_threads(config, 1));
  OK(rpcx_server_new(config, &server));
  rpcx_config_free(config);
  OK(rpcx_server_listen(server, "tcp@127.0.0.1:0"));
  OK(rpcx_server_set_metadata(server, NULL, "group=a"));
  OK(rpcx_server_add_method_queue(server, "Queued", "Echo", queue, 1, RPCX_METHOD_TO_COMPLETION));
  OK(rpcx_server_set_fallback_queue(server, queue, 2));
  OK(rpcx_server_set_authenticator_queue(server, queue, 3));
  OK(rpcx_server_add_alias(server, "Queued", "Other", "Queued", "Echo"));
  CHECK(!rpcx_server_address(server, 0));
  outcome started = OUTCOME;
  rpcx_completion completion = into(&started);
  OK(rpcx_server_start(server, &completion));
  WAIT_FOR(&started.done, 1);
  CHECK(!started.reply && !started.error);
  finish(&started);
  CHECK(rpcx_server_address(server, 0) && !rpcx_server_address(server, 1));
  OK(rpcx_server_set_metadata(server, "Queued", "group=b"));
  FAILS(rpcx_server_start_wait(server), RPCX_ERROR_CONFIG, "started");
  FAILS(rpcx_server_listen(server, "tcp@127.0.0.1:0"), RPCX_ERROR_CONFIG, "started");

  pthread_t workers[3];
  for (int i = 0; i < 3; i++) CHECK(!pthread_create(&workers[i], NULL, work, queue));
  rpcx_client *known = with_token(rpcx_server_address(server, 0), "secret");
  rpcx_client *stranger = with_token(rpcx_server_address(server, 0), NULL);
  for (int i = 0; i < 10; i++) {
    OK(call(known, "Queued", "Echo", "payload"));
    OK(call(known, "Queued", "Other", "payload"));
    OK(call(known, "Queued", "Nowhere", "Nowhere"));
    FAILS(call(stranger, "Queued", "Echo", ""), RPCX_ERROR_AUTH, "who are you?");
  }
  rpcx_connection *connections[1] = {NULL};
  size_t count = 0;
  OK(rpcx_server_connections(server, connections, 1, &count));
  CHECK(count >= 1 && connections[0]);
  rpcx_connection_free(connections[0]);
  OK(rpcx_server_connections(server, NULL, 0, &count));
  rpcx_string *text = NULL;
  OK(rpcx_server_stats_json(server, &text));
  CHECK(rpcx_string_data(text)[0] == '{');
  rpcx_string_free(text);
  OK(rpcx_server_metrics_text(server, "queued", &text));
  CHECK(strstr(rpcx_string_data(text), "# TYPE rpcx_server_"));
  rpcx_string_free(text);

  rpcx_client_free(known);
  rpcx_client_free(stranger);
  outcome ended = OUTCOME;
  completion = into(&ended);
  OK(rpcx_server_on_close(server, &completion));
  OK(rpcx_server_shutdown_wait(server, 5000, true));
  OK(rpcx_server_closed_wait(server));
  WAIT_FOR(&ended.done, 1);
  finish(&ended);
  rpcx_server_free(server);
  rpcx_queue_close(queue);
  for (int i = 0; i < 3; i++) CHECK(!pthread_join(workers[i], NULL));
  rpcx_queue_free(queue);
}

static void refuse(void *user_data, rpcx_auth *auth) {
  raise_count(user_data);
  rpcx_auth_free(auth);
}

static void tokens_and_fallback_by_callbacks(void) {
  count asked = COUNT, dropped = COUNT;
  rpcx_server *server = NULL;
  OK(rpcx_server_new(NULL, &server));
  OK(rpcx_server_listen(server, "tcp@127.0.0.1:0"));
  rpcx_authenticator authenticator = {sizeof authenticator, refuse, NULL, &asked};
  rpcx_handler handler = {sizeof handler, echo, drop_counts, &dropped};
  OK(rpcx_server_set_authenticator(server, &authenticator));
  OK(rpcx_server_set_fallback(server, &handler));
  OK(rpcx_server_start_wait(server));
  rpcx_client *client = with_token(rpcx_server_address(server, 0), "secret");
  FAILS(call(client, "Any", "Thing", ""), RPCX_ERROR_AUTH, "");
  CHECK(read_count(&asked) == 1);
  rpcx_client_free(client);
  OK(rpcx_server_shutdown_wait(server, 1000, false));
  rpcx_server_free(server);
  WAIT_FOR(&dropped, 1);
}

/* Interceptors. */

typedef struct seen {
  count calls;
  count results;
  rpcx_interception *call;
} seen;

static void pass(void *user_data, rpcx_interception *call) {
  raise_count(user_data);
  CHECK(rpcx_interception_remaining_ms(call) > 0 && !rpcx_interception_is_oneway(call));
  CHECK(rpcx_interception_serialize_type(call) == RPCX_SERIALIZE_RAW);
  rpcx_metadata *metadata = rpcx_interception_metadata(call);
  OK(rpcx_metadata_set(metadata, rpcx_text("added"), rpcx_text("yes")));
  OK(rpcx_interception_pass(call));
}

static void *end_elsewhere(void *user_data) {
  seen *seen = user_data;
  rpcx_reply *reply = NULL;
  OK(rpcx_reply_new(rpcx_text("changed"), NULL, &reply));
  OK(rpcx_interception_reply(seen->call, reply));
  return NULL;
}

static void result(void *user_data, rpcx_reply *reply, rpcx_error *error) {
  seen *seen = user_data;
  raise_count(&seen->results);
  if (error) {
    OK(rpcx_interception_fail(seen->call, error));
    return;
  }
  CHECK(is(rpcx_reply_payload(reply), "instead"));
  rpcx_reply_free(reply);
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, end_elsewhere, seen));
  CHECK(!pthread_detach(thread));
}

static void look_and_change(void *user_data, rpcx_interception *call) {
  seen *seen = user_data;
  raise_count(&seen->calls);
  seen->call = call;
  CHECK(is(rpcx_interception_service(call), "Test") && rpcx_interception_method(call).len > 0);
  CHECK(is(rpcx_interception_payload(call), "payload") && rpcx_interception_peer(call).len > 0);
  rpcx_slice value;
  CHECK(rpcx_metadata_get(rpcx_interception_metadata(call), rpcx_text("added"), &value) && is(value, "yes"));
  OK(rpcx_interception_set_payload(call, rpcx_text("instead")));
  rpcx_completion completion = {sizeof completion, result, NULL, seen};
  OK(rpcx_interception_next(call, &completion));
}

static void lose(void *user_data, rpcx_interception *call) {
  (void)user_data;
  rpcx_interception_free(call);
}

static void refuse_call(void *user_data, rpcx_interception *call) {
  (void)user_data;
  OK(rpcx_interception_fail(call, rpcx_error_new("auth.refused", rpcx_text("not today"))));
}

static rpcx_config *with_interceptor(uint32_t scope, void (*intercept)(void *, rpcx_interception *), void *user_data) {
  rpcx_config *config = NULL;
  rpcx_interceptor interceptor = {sizeof interceptor, intercept, NULL, user_data};
  OK(rpcx_config_new(scope, &config));
  if (scope == RPCX_SCOPE_CLIENT) OK(rpcx_config_set(config, "serialize_type", "raw"));
  OK(rpcx_config_add_interceptor(config, &interceptor));
  return config;
}

static void interceptors(void) {
  static seen seen = {COUNT, COUNT, NULL};
  static count passed = COUNT;
  rpcx_config *config = with_interceptor(RPCX_SCOPE_SERVER, look_and_change, &seen);
  rpcx_server *server = NULL;
  OK(rpcx_server_new(config, &server));
  rpcx_config_free(config);
  OK(rpcx_server_listen(server, "tcp@127.0.0.1:0"));
  add(server, "Echo", echo, NULL);
  add(server, "Fail", fail, NULL);
  OK(rpcx_server_start_wait(server));
  config = with_interceptor(RPCX_SCOPE_CLIENT, pass, &passed);
  rpcx_client *client = NULL;
  OK(rpcx_client_open(rpcx_server_address(server, 0), config, &client));
  rpcx_config_free(config);
  for (int i = 1; i <= 5; i++) {
    OK(call(client, "Test", "Echo", "changed"));
    FAILS(call(client, "Test", "Fail", ""), RPCX_ERROR_SERVICE, "no such luck");
    CHECK(read_count(&passed) == 2 * i && read_count(&seen.calls) == 2 * i && read_count(&seen.results) == 2 * i);
  }
  rpcx_client_free(client);

  config = with_interceptor(RPCX_SCOPE_CLIENT, lose, NULL);
  OK(rpcx_client_open(rpcx_server_address(server, 0), config, &client));
  rpcx_config_free(config);
  FAILS(call(client, "Test", "Echo", ""), RPCX_ERROR_INTERNAL, "interceptor");
  rpcx_client_free(client);
  config = with_interceptor(RPCX_SCOPE_CLIENT, refuse_call, NULL);
  OK(rpcx_client_open(rpcx_server_address(server, 0), config, &client));
  rpcx_config_free(config);
  FAILS(call(client, "Test", "Echo", ""), RPCX_ERROR_AUTH, "not today");
  rpcx_client_free(client);
  rpcx_server_free(server);
}

static void shutdown_waits_and_cuts_off(void) {
  static held held = {.came = COUNT};
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  rpcx_method *method = method_of(client, "Hold");
  outcome call = OUTCOME, down = OUTCOME;
  rpcx_completion completion = into(&call);
  OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, NULL));
  WAIT_FOR(&held.came, 1);
  completion = into(&down);
  OK(rpcx_server_shutdown(server, 20000, false, &completion));
  OK(rpcx_request_answer(held.requests[0], rpcx_text("in time")));
  WAIT_FOR(&call.done, 1);
  CHECK(is(rpcx_reply_payload(call.reply), "in time"));
  finish(&call);
  WAIT_FOR(&down.done, 1);
  CHECK(!down.error);
  finish(&down);
  rpcx_server_free(server);

  server = start_server(&held);
  const char *address = rpcx_server_address(server, 0);
  rpcx_client *other = open_client(address);
  rpcx_method *slow = method_of(other, "Hold");
  call = (outcome)OUTCOME;
  completion = into(&call);
  OK(rpcx_method_call(slow, rpcx_text("x"), NULL, &completion, NULL));
  WAIT_FOR(&held.came, 2);
  FAILS(rpcx_server_shutdown_wait(server, 20, false), RPCX_ERROR_TIMEOUT, "cut off");
  WAIT_FOR(&call.done, 1);
  CHECK(call.error);
  finish(&call);
  rpcx_request_free(held.requests[1]);
  rpcx_method_free(method);
  rpcx_method_free(slow);
  rpcx_client_free(client);
  rpcx_client_free(other);
  rpcx_server_free(server);
}

static void count_record(void *user_data, const rpcx_log_record *record) {
  CHECK(record->struct_size == sizeof *record && record->level <= RPCX_LOG_DEBUG && record->level > 0);
  CHECK(record->target.len > 0 && record->message.len > 0);
  raise_count(user_data);
}

static void bad_starts(void) {
  rpcx_server *first = start_server(NULL), *second = NULL;
  OK(rpcx_server_new(NULL, &second));
  FAILS(rpcx_server_shutdown_wait(second, 1, false), RPCX_ERROR_CONFIG, "`server`");
  OK(rpcx_server_listen(second, rpcx_server_address(first, 0)));
  FAILS(rpcx_server_start_wait(second), RPCX_ERROR_CONFIG, "127.0.0.1");
  rpcx_server_free(second);
  OK(rpcx_server_new(NULL, &second));
  OK(rpcx_server_listen(second, "tcp@127.0.0.1:0"));
  rpcx_server_close(second);
  FAILS(rpcx_server_start_wait(second), RPCX_ERROR_CLOSED, "closed");
  rpcx_server_free(second);
  OK(rpcx_server_new(NULL, &second));
  OK(rpcx_server_listen(second, "tcp@127.0.0.1:0"));
  outcome start = OUTCOME;
  rpcx_completion completion = into(&start);
  OK(rpcx_server_start(second, &completion));
  rpcx_server_free(second); /* while it starts */
  finish(&start);
  rpcx_server_free(first);
}

int main(void) {
  static held held = {.came = COUNT};
  static count records = COUNT; /* what happens while the process ends may still be told */
  rpcx_logger logger = {sizeof logger, count_record, NULL, &records};
  OK(rpcx_log_set(RPCX_LOG_DEBUG, &logger));
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  answer_elsewhere(client, &held);
  dropped_is_a_panic(client, &held);
  queues();
  tokens_and_fallback_by_callbacks();
  interceptors();
  shutdown_waits_and_cuts_off();
  bad_starts();
  rpcx_client_free(client);
  rpcx_server_free(server);
  CHECK(read_count(&records) > 0);
  OK(rpcx_log_set(0, NULL));
  return 0;
}
