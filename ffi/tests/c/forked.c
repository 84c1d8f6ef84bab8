/* A process that forks while the library is at work. Without the address sanitizer, whose allocator may be left locked in a
   child. */
#include "check.h"

/* Keeps the library's threads busy while the process forks. */
typedef struct load {
  rpcx_method *method;
  count calls;
} load;

static void *keep_calling(void *user_data) {
  load *load = user_data;
  for (;;) {
    rpcx_reply *reply = NULL;
    rpcx_error *error = rpcx_method_call_wait(load->method, rpcx_text("x"), NULL, &reply);
    rpcx_reply_free(reply);
    raise_count(&load->calls);
    if (error) {
      rpcx_error_free(error);
      return NULL;
    }
  }
}

static void fork_at_work(void) {
  held held = {.came = COUNT};
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  rpcx_method *method = method_of(client, "Hold"), *echo = method_of(client, "Echo");
  rpcx_queue *queue = NULL;
  rpcx_call *call = NULL;
  rpcx_connection *connection = NULL;
  OK(rpcx_queue_new(0, &queue));
  OK(rpcx_method_call_queue(method, rpcx_text("x"), NULL, queue, 1, &call));
  WAIT_FOR(&held.came, 1);
  OK(rpcx_request_connection(held.requests[0], &connection));
  load load = {echo, COUNT};
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, keep_calling, &load));
  WAIT_FOR(&load.calls, 10);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    rpcx_reply *reply = NULL;
    rpcx_event event;
    size_t count = 0;
    const char *text = "fork";
    FAILS(rpcx_method_call_wait(echo, rpcx_text("x"), NULL, &reply), RPCX_ERROR_CLOSED, text);
    FAILS(rpcx_client_set_nodes(client, NULL, 0), RPCX_ERROR_CLOSED, text);
    FAILS(rpcx_queue_poll(queue, &event, sizeof event, 1, &count), RPCX_ERROR_CLOSED, text);
    FAILS(rpcx_server_shutdown_wait(server, 10, false), RPCX_ERROR_CLOSED, text);
    FAILS(rpcx_connection_push(connection, "a", "b", NULL, rpcx_text("")), RPCX_ERROR_CLOSED, text);
    FAILS(rpcx_request_answer(held.requests[0], rpcx_text("x")), RPCX_ERROR_CLOSED, text);
    rpcx_call_cancel(call);
    rpcx_client_close(client);
    rpcx_server_close(server);
    rpcx_connection_free(connection);
    rpcx_call_free(call);
    rpcx_queue_free(queue);
    rpcx_method_free(method);
    rpcx_client_free(client);
    rpcx_server_free(server);
    /* New ones work. */
    rpcx_server *own = start_server(NULL);
    rpcx_client *fresh = open_client(rpcx_server_address(own, 0));
    rpcx_method *again = method_of(fresh, "Echo");
    OK(rpcx_method_call_wait(again, rpcx_text("child"), NULL, &reply));
    CHECK(is(rpcx_reply_payload(reply), "child"));
    _exit(0);
  }
  expect_status_0(child);
  rpcx_event event;
  size_t count = 0;
  OK(rpcx_request_answer(held.requests[0], rpcx_text("parent")));
  OK(rpcx_queue_wait(queue, &event, sizeof event, 1, 20000, &count));
  CHECK(count == 1 && is(rpcx_reply_payload(event.reply), "parent"));
  rpcx_reply_free(event.reply);
  rpcx_connection_free(connection);
  rpcx_call_free(call);
  rpcx_queue_free(queue);
  rpcx_method_free(method);
  rpcx_client_free(client);
  CHECK(!pthread_join(thread, NULL));
  rpcx_method_free(echo);
  rpcx_server_free(server);
}

int main(void) {
  for (int turn = 0; turn < 20; turn++) fork_at_work();
  return 0;
}
