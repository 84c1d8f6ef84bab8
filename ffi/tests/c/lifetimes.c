/* Close during calls, use after close, free inside callbacks, and an exit in the middle of everything. */
#include "check.h"

static void close_during_calls(void) {
  enum { CALLS = 100 };
  static held held = {.came = COUNT};
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  rpcx_method *method = method_of(client, "Hold");
  static outcome outcomes[CALLS];
  for (int i = 0; i < CALLS; i++) {
    outcomes[i] = (outcome)OUTCOME;
    rpcx_completion completion = into(&outcomes[i]);
    OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, NULL));
  }
  WAIT_FOR(&held.came, CALLS);
  rpcx_client_close(client);
  rpcx_client_close(client);
  for (int i = 0; i < CALLS; i++) {
    WAIT_FOR(&outcomes[i].done, 1);
    CHECK(rpcx_error_kind(outcomes[i].error) == RPCX_ERROR_CLOSED);
    finish(&outcomes[i]);
  }
  /* Used after it was closed. */
  rpcx_reply *reply = NULL;
  rpcx_method *other = NULL;
  FAILS(rpcx_method_call_wait(method, rpcx_text("x"), NULL, &reply), RPCX_ERROR_CLOSED, "");
  FAILS(rpcx_client_method(client, "A", "B", &other), RPCX_ERROR_CLOSED, "");
  rpcx_string *text = NULL;
  OK(rpcx_client_stats_json(client, &text));
  rpcx_string_free(text);
  rpcx_client_free(client);
  FAILS(rpcx_method_call_wait(method, rpcx_text("x"), NULL, &reply), RPCX_ERROR_CLOSED, "");
  rpcx_method_free(method);
  /* The server goes while its requests are held; they are answered to nobody. */
  rpcx_server_close(server);
  rpcx_server_close(server);
  rpcx_server_free(server);
  for (int i = 0; i < CALLS; i++) OK(rpcx_request_answer(held.requests[i], rpcx_text("late")));
}

typedef struct everything {
  rpcx_client *client;
  rpcx_method *method;
  rpcx_call *call;
  rpcx_queue *queue;
  rpcx_server *server;
  count freed;
} everything;

static void free_everything(void *user_data, rpcx_reply *reply, rpcx_error *error) {
  everything *all = user_data;
  CHECK(is(rpcx_reply_payload(reply), "x") && !error);
  rpcx_reply *other = NULL;
  FAILS(rpcx_method_call_wait(all->method, rpcx_text("x"), NULL, &other), RPCX_ERROR_CONFIG, "callback");
  FAILS(rpcx_client_shutdown_wait(all->client, 10), RPCX_ERROR_CONFIG, "callback");
  rpcx_event event;
  size_t count = 0;
  FAILS(rpcx_queue_wait(all->queue, &event, sizeof event, 1, 10, &count), RPCX_ERROR_CONFIG, "callback");
  rpcx_reply_free(reply);
  rpcx_call_free(all->call);
  rpcx_method_free(all->method);
  rpcx_queue_free(all->queue);
  rpcx_client_free(all->client);
  rpcx_server_free(all->server);
}

static void drop_everything(void *user_data) { raise_count(&((everything *)user_data)->freed); }

static void free_inside_a_callback(void) {
  for (int turn = 0; turn < 20; turn++) {
    everything all = {.freed = COUNT};
    static held held = {.came = COUNT};
    int before = read_count(&held.came);
    all.server = start_server(&held);
    all.client = open_client(rpcx_server_address(all.server, 0));
    all.method = method_of(all.client, "Hold");
    OK(rpcx_queue_new(0, &all.queue));
    rpcx_completion completion = {sizeof completion, free_everything, drop_everything, &all};
    OK(rpcx_method_call(all.method, rpcx_text("x"), NULL, &completion, &all.call));
    WAIT_FOR(&held.came, before + 1);
    OK(rpcx_request_answer(held.requests[before], rpcx_text("x")));
    WAIT_FOR(&all.freed, 1);
  }
}

static void end_the_server(void *user_data, rpcx_request *request) {
  everything *all = user_data;
  rpcx_server_close(all->server);
  rpcx_server_free(all->server);
  rpcx_request_free(request);
}

static void free_inside_a_handler(void) {
  everything all = {.freed = COUNT};
  rpcx_handler handler = {sizeof handler, end_the_server, drop_everything, &all};
  OK(rpcx_server_new(NULL, &all.server));
  OK(rpcx_server_listen(all.server, "tcp@127.0.0.1:0"));
  OK(rpcx_server_add_method(all.server, "Test", "End", &handler, 0));
  OK(rpcx_server_start_wait(all.server));
  rpcx_client *client = open_client(rpcx_server_address(all.server, 0));
  rpcx_method *method = method_of(client, "End");
  rpcx_reply *reply = NULL;
  rpcx_error *error = rpcx_method_call_wait(method, rpcx_text("x"), NULL, &reply);
  CHECK(error);
  rpcx_error_free(error);
  WAIT_FOR(&all.freed, 1);
  rpcx_method_free(method);
  rpcx_client_free(client);
}

/* What is in a queue, or comes after its end, is freed with it. */
static void queues_with_something_in_them(void) {
  static held held = {.came = COUNT};
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  rpcx_method *echo = method_of(client, "Echo"), *hold_ = method_of(client, "Hold");
  rpcx_queue *queue = NULL, *gone = NULL;
  rpcx_event event;
  size_t count = 0;
  OK(rpcx_queue_new(RPCX_QUEUE_FD, &queue));
  OK(rpcx_queue_new(0, &gone));
  OK(rpcx_method_call_queue(hold_, rpcx_text("x"), NULL, gone, 1, NULL));
  WAIT_FOR(&held.came, 1);
  rpcx_queue_free(gone);
  OK(rpcx_request_answer(held.requests[0], rpcx_text("x")));
  for (int i = 0; i < 10; i++) OK(rpcx_method_call_queue(echo, rpcx_text("x"), NULL, queue, 1, NULL));
  rpcx_reply *reply = NULL;
  OK(rpcx_method_call_wait(echo, rpcx_text("x"), NULL, &reply));
  rpcx_reply_free(reply);
  rpcx_queue_close(queue);
  OK(rpcx_method_call_queue(echo, rpcx_text("x"), NULL, queue, 1, NULL));
  for (rpcx_error *error = NULL; !error;) {
    error = rpcx_queue_poll(queue, &event, sizeof event, 1, &count);
    if (!error && count) rpcx_reply_free(event.reply);
    CHECK(!error || rpcx_error_kind(error) == RPCX_ERROR_CLOSED);
    if (error) {
      rpcx_error_free(error);
      break;
    }
  }
  rpcx_queue_free(queue);
  rpcx_method_free(echo);
  rpcx_method_free(hold_);
  rpcx_client_free(client);
  rpcx_server_free(server);
}

/* Threads call while others close and free. */
typedef struct race {
  rpcx_method *method;
  rpcx_queue *queue;
  count calls;
} race;

static void *keep_calling(void *user_data) {
  race *race = user_data;
  for (;;) {
    rpcx_reply *reply = NULL;
    rpcx_error *error = rpcx_method_call_wait(race->method, rpcx_text("x"), NULL, &reply);
    rpcx_reply_free(reply);
    raise_count(&race->calls);
    if (error) {
      CHECK(rpcx_error_kind(error) == RPCX_ERROR_CLOSED);
      rpcx_error_free(error);
      return NULL;
    }
  }
}

static void close_while_threads_call(void) {
  for (int turn = 0; turn < 5; turn++) {
    rpcx_server *server = start_server(NULL);
    rpcx_client *client = open_client(rpcx_server_address(server, 0));
    race race = {method_of(client, "Echo"), NULL, COUNT};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, keep_calling, &race));
    WAIT_FOR(&race.calls, 50);
    if (turn % 2) {
      rpcx_client_close(client);
    } else {
      OK(rpcx_client_shutdown_wait(client, 5000));
    }
    for (int i = 0; i < 4; i++) CHECK(!pthread_join(threads[i], NULL));
    rpcx_client_free(client);
    rpcx_method_free(race.method);
    rpcx_server_free(server);
  }
}

/* What is never freed; a compiler could do without static variables that are only written. */
rpcx_server *server;
rpcx_client *client;
rpcx_queue *queue;

/* A process of its own that ends with calls under way and nothing closed. */
static int exit_in_mid_call(void) {
  static held held = {.came = COUNT};
  static outcome outcomes[50];
  static rpcx_method *method, *busy;
  static pthread_t thread;
  static race race = {NULL, NULL, COUNT};
  alarm(20);
  server = start_server(&held);
  client = open_client(rpcx_server_address(server, 0));
  method = method_of(client, "Hold");
  busy = method_of(client, "Echo");
  OK(rpcx_queue_new(0, &queue));
  for (int i = 0; i < 50; i++) {
    outcomes[i] = (outcome)OUTCOME;
    rpcx_completion completion = into(&outcomes[i]);
    OK(rpcx_method_call(method, rpcx_text("x"), NULL, &completion, NULL));
    OK(rpcx_method_call_queue(busy, rpcx_text("x"), NULL, queue, 1, NULL));
  }
  race.method = busy;
  CHECK(!pthread_create(&thread, NULL, keep_calling, &race));
  WAIT_FOR(&held.came, 50);
  WAIT_FOR(&race.calls, 10);
  return 0;
}

static void exits(const char *program) {
  for (int turn = 0; turn < 5; turn++) {
    pid_t child = fork();
    if (child == 0) {
      execl(program, program, "exit-in-mid-call", (char *)NULL);
      _exit(127);
    }
    expect_status_0(child);
  }
}

int main(int count, char **arguments) {
  if (count == 2 && !strcmp(arguments[1], "exit-in-mid-call")) return exit_in_mid_call();
  close_during_calls();
  free_inside_a_callback();
  free_inside_a_handler();
  queues_with_something_in_them();
  close_while_threads_call();
  exits(arguments[0]);
  return 0;
}
