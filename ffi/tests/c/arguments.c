/* NULL, bad text and bad structs: errors that name the argument, whose user data is dropped all the same. */
#include "check.h"

#define NAMES(call, argument) FAILS(call, RPCX_ERROR_CONFIG, "`" argument "`")

static const char bad_text[] = {'a', (char)0xff, 0};

static void readers_of_nothing(void) {
  rpcx_slice value;
  size_t cursor = 0;
  CHECK(rpcx_error_kind(NULL) == 0 && !*rpcx_error_kind_name(NULL) && !*rpcx_error_reason(NULL));
  CHECK(!*rpcx_error_message(NULL) && !*rpcx_error_text(NULL) && !rpcx_error_server(NULL));
  CHECK(!rpcx_error_delivery(NULL) && !rpcx_error_attempts(NULL) && !rpcx_error_is_retryable(NULL, true));
  CHECK(!rpcx_error_clone(NULL) && !*rpcx_string_data(NULL) && !rpcx_string_len(NULL));
  CHECK(!rpcx_metadata_len(NULL) && !rpcx_metadata_get(NULL, rpcx_text("a"), &value));
  CHECK(!rpcx_metadata_remove(NULL, rpcx_text("a")) && !rpcx_metadata_next(NULL, &cursor, &value, &value));
  CHECK(!rpcx_reply_payload(NULL).len && !rpcx_reply_metadata(NULL) && !rpcx_reply_server(NULL).len);
  CHECK(!rpcx_reply_attempts(NULL) && !rpcx_reply_parts(NULL) && !rpcx_reply_part(NULL, 0));
  CHECK(!rpcx_reply_part_error(NULL, 0) && !rpcx_reply_part_server(NULL, 0).len && rpcx_queue_fd(NULL) == -1);
  CHECK(!rpcx_push_service(NULL).len && !rpcx_push_method(NULL).len && !rpcx_push_server(NULL).len);
  CHECK(!rpcx_push_metadata(NULL) && !rpcx_push_payload(NULL).len && !rpcx_push_serialize_type(NULL));
  CHECK(!rpcx_server_address(NULL, 0) && !rpcx_request_service(NULL).len && !rpcx_request_method(NULL).len);
  CHECK(!rpcx_request_payload(NULL).len && !rpcx_request_serialize_type(NULL) && !rpcx_request_metadata(NULL));
  CHECK(!rpcx_request_peer(NULL).len && !rpcx_request_tls_subject(NULL).len && !rpcx_request_is_oneway(NULL));
  CHECK(!rpcx_request_remaining_ms(NULL) && !rpcx_request_is_cancelled(NULL));
  CHECK(!rpcx_connection_id(NULL) && !rpcx_connection_peer(NULL).len && !rpcx_connection_is_open(NULL));
  CHECK(!rpcx_auth_token(NULL).len && !rpcx_auth_service(NULL).len && !rpcx_auth_method(NULL).len);
  CHECK(!rpcx_auth_peer(NULL).len && !rpcx_auth_tls_subject(NULL).len && !rpcx_auth_metadata(NULL));
  CHECK(!rpcx_interception_service(NULL).len && !rpcx_interception_method(NULL).len);
  CHECK(!rpcx_interception_payload(NULL).len && !rpcx_interception_serialize_type(NULL));
  CHECK(!rpcx_interception_peer(NULL).len && !rpcx_interception_is_oneway(NULL));
  CHECK(!rpcx_interception_remaining_ms(NULL) && !rpcx_interception_metadata(NULL));
}

static void nothing_to_end(void) {
  rpcx_error_free(NULL);
  rpcx_string_free(NULL);
  rpcx_metadata_free(NULL);
  rpcx_config_free(NULL);
  rpcx_reply_free(NULL);
  rpcx_queue_close(NULL);
  rpcx_queue_free(NULL);
  rpcx_client_close(NULL);
  rpcx_client_free(NULL);
  rpcx_call_cancel(NULL);
  rpcx_call_free(NULL);
  rpcx_method_free(NULL);
  rpcx_batch_free(NULL);
  rpcx_context_free(NULL);
  rpcx_push_free(NULL);
  rpcx_server_close(NULL);
  rpcx_server_free(NULL);
  rpcx_request_free(NULL);
  rpcx_connection_close(NULL);
  rpcx_connection_free(NULL);
  rpcx_auth_accept(NULL);
  rpcx_auth_free(NULL);
  rpcx_interception_free(NULL);
}

static void handles_that_are_null(void) {
  rpcx_slice text = rpcx_text("a");
  rpcx_string *string = NULL;
  rpcx_reply *reply = NULL;
  rpcx_method *method = NULL;
  rpcx_context *context = NULL;
  rpcx_connection *connection = NULL;
  rpcx_event event;
  size_t count = 0;
  outcome unused = OUTCOME;
  rpcx_completion completion = into(&unused);
  NAMES(rpcx_metadata_set(NULL, text, text), "metadata");
  NAMES(rpcx_metadata_clone(NULL, NULL), "metadata");
  NAMES(rpcx_config_set(NULL, "a", "b"), "config");
  NAMES(rpcx_config_set_threads(NULL, 1), "config");
  NAMES(rpcx_queue_poll(NULL, &event, sizeof event, 1, &count), "queue");
  NAMES(rpcx_queue_wait(NULL, &event, sizeof event, 1, 0, &count), "queue");
  NAMES(rpcx_client_method(NULL, "A", "B", &method), "client");
  NAMES(rpcx_client_set_nodes(NULL, NULL, 0), "client");
  NAMES(rpcx_client_stats_json(NULL, &string), "client");
  NAMES(rpcx_client_metrics_text(NULL, "a", &string), "client");
  NAMES(rpcx_client_subscribe_queue(NULL, NULL, 0), "client");
  NAMES(rpcx_client_shutdown_wait(NULL, 0), "client");
  NAMES(rpcx_client_shutdown(NULL, 0, &completion), "client");
  WAIT_FOR(&unused.dropped, 1);
  NAMES(rpcx_method_call(NULL, text, NULL, &completion, NULL), "method");
  WAIT_FOR(&unused.dropped, 2);
  NAMES(rpcx_method_call_wait(NULL, text, NULL, &reply), "method");
  NAMES(rpcx_method_call_queue(NULL, text, NULL, NULL, 0, NULL), "queue");
  NAMES(rpcx_method_oneshot(NULL, text, NULL), "method");
  NAMES(rpcx_batch_add(NULL, NULL, text, NULL), "batch");
  NAMES(rpcx_batch_call_wait(NULL, &reply), "batch");
  NAMES(rpcx_batch_call(NULL, &completion, NULL), "batch");
  WAIT_FOR(&unused.dropped, 3);
  NAMES(rpcx_server_listen(NULL, "a"), "server");
  NAMES(rpcx_server_start_wait(NULL), "server");
  NAMES(rpcx_server_start(NULL, &completion), "server");
  WAIT_FOR(&unused.dropped, 4);
  NAMES(rpcx_server_add_alias(NULL, "a", "b", "c", "d"), "server");
  NAMES(rpcx_server_stats_json(NULL, &string), "server");
  NAMES(rpcx_server_connections(NULL, NULL, 0, &count), "server");
  NAMES(rpcx_server_closed_wait(NULL), "server");
  NAMES(rpcx_request_answer(NULL, text), "request");
  NAMES(rpcx_request_fail(NULL, text), "request");
  NAMES(rpcx_request_fail_with(NULL, NULL), "request");
  NAMES(rpcx_request_on_cancel(NULL, &completion), "request");
  WAIT_FOR(&unused.dropped, 5);
  NAMES(rpcx_request_context(NULL, &context), "request");
  NAMES(rpcx_request_connection(NULL, &connection), "request");
  NAMES(rpcx_request_set_metadata(NULL, text, text), "request");
  NAMES(rpcx_request_push(NULL, "a", "b", NULL, text), "request");
  NAMES(rpcx_connection_push(NULL, "a", "b", NULL, text), "connection");
  NAMES(rpcx_auth_refuse(NULL, text), "auth");
  NAMES(rpcx_interception_set_payload(NULL, text), "call");
  NAMES(rpcx_interception_pass(NULL), "call");
  NAMES(rpcx_interception_reply(NULL, NULL), "reply");
  NAMES(rpcx_interception_fail(NULL, NULL), "call");
  NAMES(rpcx_interception_next(NULL, &completion), "call");
  WAIT_FOR(&unused.dropped, 6);
  CHECK(read_count(&unused.done) == 0 && read_count(&unused.dropped) == 6);
}

static void places_that_are_null(void) {
  rpcx_slice text = rpcx_text("a");
  NAMES(rpcx_options_json(NULL), "out");
  NAMES(rpcx_errors_json(NULL), "out");
  NAMES(rpcx_metadata_new(NULL), "out");
  NAMES(rpcx_config_new(RPCX_SCOPE_CALL, NULL), "out");
  NAMES(rpcx_context_new(0, NULL, NULL), "out");
  NAMES(rpcx_reply_new(text, NULL, NULL), "out");
  NAMES(rpcx_queue_new(0, NULL), "out");
  NAMES(rpcx_client_open(NULL, NULL, NULL), "out");
  NAMES(rpcx_client_method(NULL, "A", "B", NULL), "out");
  NAMES(rpcx_method_call_wait(NULL, text, NULL, NULL), "out");
  NAMES(rpcx_batch_new(NULL), "out");
  NAMES(rpcx_server_new(NULL, NULL), "out");
}

static void nothing(void *user_data) { raise_count(user_data); }

/* Everything that takes user data drops it when it fails. */
static void structs(rpcx_method *method) {
  rpcx_slice text = rpcx_text("a");
  count dropped = COUNT;
  int expected = 0;
  rpcx_completion completion = {sizeof completion, NULL, nothing, &dropped};
  NAMES(rpcx_method_call(method, text, NULL, &completion, NULL), "completion");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_method_call(method, text, NULL, NULL, NULL), "completion");
  completion.struct_size = 0;
  NAMES(rpcx_method_call(method, text, NULL, &completion, NULL), "completion");
  completion.struct_size = sizeof completion - 1;
  NAMES(rpcx_method_call(method, text, NULL, &completion, NULL), "completion");

  rpcx_server *server = NULL;
  OK(rpcx_server_new(NULL, &server));
  rpcx_handler handler = {sizeof handler, NULL, nothing, &dropped};
  NAMES(rpcx_server_add_method(server, "A", "B", &handler, 0), "handler");
  WAIT_FOR(&dropped, ++expected);
  handler.handle = echo;
  NAMES(rpcx_server_add_method(server, "A", "B", &handler, 64), "flags");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_server_add_method(server, NULL, "B", &handler, 0), "service");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_server_add_method(server, "A", bad_text, &handler, 0), "method");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_server_add_method(NULL, "A", "B", &handler, 0), "server");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_server_set_fallback(NULL, &handler), "server");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_server_set_fallback(server, NULL), "handler");
  OK(rpcx_server_add_method(server, "A", "B", &handler, 0));
  rpcx_authenticator authenticator = {sizeof authenticator, NULL, nothing, &dropped};
  NAMES(rpcx_server_set_authenticator(server, &authenticator), "authenticator");
  WAIT_FOR(&dropped, ++expected);
  rpcx_server_free(server); /* never started */
  WAIT_FOR(&dropped, ++expected);

  rpcx_config *config = NULL;
  OK(rpcx_config_new(RPCX_SCOPE_CALL, &config));
  rpcx_interceptor interceptor = {sizeof interceptor, NULL, nothing, &dropped};
  NAMES(rpcx_config_add_interceptor(config, &interceptor), "interceptor");
  WAIT_FOR(&dropped, ++expected);
  rpcx_client *client = NULL;
  NAMES(rpcx_client_open(NULL, config, &client), "config");
  NAMES(rpcx_server_new(config, &server), "config");
  rpcx_config_free(config);
  NAMES(rpcx_config_new(9, &config), "scope");

  rpcx_logger logger = {sizeof logger, NULL, nothing, &dropped};
  NAMES(rpcx_log_set(RPCX_LOG_WARN, &logger), "logger");
  WAIT_FOR(&dropped, ++expected);
  client = open_client(NULL);
  rpcx_subscriber subscriber = {sizeof subscriber, NULL, nothing, &dropped};
  NAMES(rpcx_client_subscribe(client, &subscriber), "subscriber");
  WAIT_FOR(&dropped, ++expected);
  NAMES(rpcx_client_subscribe_queue(client, NULL, 1), "queue");
  const char *nodes[] = {NULL};
  NAMES(rpcx_client_set_nodes(client, nodes, 1), "nodes");
  NAMES(rpcx_client_set_nodes(client, NULL, 1), "nodes");
  rpcx_method *other = NULL;
  NAMES(rpcx_client_method(client, NULL, "B", &other), "service");
  NAMES(rpcx_client_method(client, "A", bad_text, &other), "method");
  rpcx_client_free(client);
  CHECK(read_count(&dropped) == expected);
}

static void options(rpcx_method *method) {
  rpcx_slice text = rpcx_text("a"), wrong = {NULL, 3}, huge = {(const uint8_t *)"a", SIZE_MAX};
  rpcx_reply *reply = NULL;
  rpcx_call_options options = {.struct_size = 0};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options");
  NAMES(rpcx_method_call_wait(method, wrong, NULL, &reply), "payload");
  NAMES(rpcx_method_call_wait(method, huge, NULL, &reply), "payload");
  options = (rpcx_call_options){.struct_size = sizeof options, .kind = 77};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.kind");
  options = (rpcx_call_options){.struct_size = sizeof options, .flags = 1u << 30};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.flags");
  options = (rpcx_call_options){.struct_size = sizeof options, .hash_key = wrong};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.hash_key");
  options = (rpcx_call_options){.struct_size = sizeof options, .target = rpcx_text(bad_text)};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.target");
  rpcx_buffer buffer = {.struct_size = 3};
  options = (rpcx_call_options){.struct_size = sizeof options, .buffer = &buffer};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.buffer");
  rpcx_config *config = NULL;
  OK(rpcx_config_new(RPCX_SCOPE_CLIENT, &config));
  options = (rpcx_call_options){.struct_size = sizeof options, .config = config};
  NAMES(rpcx_method_call_wait(method, text, &options, &reply), "options.config");
  NAMES(rpcx_config_set(config, NULL, "a"), "name");
  NAMES(rpcx_config_set(config, "timeout", NULL), "value");
  FAILS(rpcx_config_set(config, "timeout", "soon"), RPCX_ERROR_CONFIG, "timeout");
  rpcx_config_free(config);
  /* A caller of the future knows more fields: they are not read. */
  struct { rpcx_call_options known; char more[64]; } future = {.known = {.struct_size = sizeof future}};
  OK(rpcx_method_call_wait(method, text, &future.known, &reply));
  rpcx_reply_free(reply);

  rpcx_metadata *metadata = NULL;
  OK(rpcx_metadata_new(&metadata));
  NAMES(rpcx_metadata_set(metadata, rpcx_text(bad_text), text), "key");
  NAMES(rpcx_metadata_set(metadata, text, wrong), "value");
  rpcx_metadata_free(metadata);
  rpcx_error *error = rpcx_error_new(NULL, text);
  CHECK(rpcx_error_kind(error) == RPCX_ERROR_CONFIG);
  rpcx_error_free(error);

  rpcx_queue *queue = NULL;
  rpcx_event event;
  size_t count = 0;
  NAMES(rpcx_queue_new(8, &queue), "flags");
  OK(rpcx_queue_new(0, &queue));
  NAMES(rpcx_queue_poll(queue, &event, 8, 1, &count), "event_size");
  NAMES(rpcx_queue_poll(queue, &event, sizeof event, 0, &count), "max");
  NAMES(rpcx_queue_poll(queue, NULL, sizeof event, 1, &count), "events");
  NAMES(rpcx_queue_poll(queue, &event, sizeof event, 1, NULL), "count");
  rpcx_queue_free(queue);
  NAMES(rpcx_runtime_configure(0, bad_text), "thread_name");
  FAILS(rpcx_runtime_configure(1 << 20, NULL), RPCX_ERROR_CONFIG, "threads");
}

int main(void) {
  rpcx_server *server = start_server(NULL);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  rpcx_method *method = method_of(client, "Echo");
  readers_of_nothing();
  nothing_to_end();
  handles_that_are_null();
  places_that_are_null();
  structs(method);
  options(method);
  rpcx_method_free(method);
  rpcx_client_free(client);
  rpcx_server_free(server);
  return 0;
}
