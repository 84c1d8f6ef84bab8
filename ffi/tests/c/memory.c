/* However many calls there are, good and bad: nothing of them stays. The address sanitizer counts what the library has
   allocated as well. */
#include "check.h"

/* GCC has this function of the sanitizer's, but not the header that declares it. */
size_t __sanitizer_get_current_allocated_bytes(void);

enum { AT_ONCE = 50, ROUNDS = 40, MOST = 16 * 1024 };

static void calls(rpcx_client *client, held *held) {
  rpcx_method *echo = method_of(client, "Echo"), *fail = method_of(client, "Fail"), *hold = method_of(client, "Hold");
  rpcx_queue *queue = NULL;
  OK(rpcx_queue_new(0, &queue));
  for (int round = 0; round < ROUNDS; round++) {
    outcome outcomes[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
      outcomes[i] = (outcome)OUTCOME;
      rpcx_completion completion = into(&outcomes[i]);
      OK(rpcx_method_call(i % 2 ? echo : fail, rpcx_text("callback"), NULL, &completion, NULL));
      OK(rpcx_method_call_queue(echo, rpcx_text("queue"), NULL, queue, 1, NULL));
    }
    for (int i = 0; i < AT_ONCE; i++) {
      rpcx_reply *reply = NULL;
      rpcx_event event;
      size_t count = 0;
      OK(rpcx_method_call_wait(echo, rpcx_text("waiting"), NULL, &reply));
      rpcx_reply_free(reply);
      FAILS(rpcx_method_call_wait(fail, rpcx_text("waiting"), NULL, &reply), RPCX_ERROR_SERVICE, "no such luck");
      OK(rpcx_queue_wait(queue, &event, sizeof event, 1, 20000, &count));
      CHECK(count == 1);
      rpcx_reply_free(event.reply);
      rpcx_error_free(event.error);
    }
    for (int i = 0; i < AT_ONCE; i++) finish(&outcomes[i]);
    /* One that is cancelled, and answered too late. */
    outcome late = OUTCOME;
    rpcx_completion completion = into(&late);
    rpcx_call *call = NULL;
    const int came = read_count(&held->came);
    OK(rpcx_method_call(hold, rpcx_text("x"), NULL, &completion, &call));
    WAIT_FOR(&held->came, came + 1);
    rpcx_call_cancel(call);
    rpcx_call_free(call);
    finish(&late);
    OK(rpcx_request_answer(held->requests[came], rpcx_text("too late")));
  }
  held->came.value = 0; /* every request has been answered */
  rpcx_queue_free(queue);
  rpcx_method_free(echo);
  rpcx_method_free(fail);
  rpcx_method_free(hold);
}

/* Clients come and go beside one that stays. */
static void clients(const char *address) {
  for (int i = 0; i < 20; i++) {
    rpcx_client *client = open_client(address);
    rpcx_method *echo = method_of(client, "Echo");
    rpcx_reply *reply = NULL;
    OK(rpcx_method_call_wait(echo, rpcx_text("x"), NULL, &reply));
    rpcx_reply_free(reply);
    rpcx_method_free(echo);
    rpcx_client_free(client);
  }
}

static void memory_stays_flat(void) {
  static held held = {.came = COUNT};
  rpcx_server *server = start_server(&held);
  rpcx_client *client = open_client(rpcx_server_address(server, 0));
  /* Buffers and tables have their size after the first rounds. */
  for (int i = 0; i < 2; i++) {
    calls(client, &held);
    clients(rpcx_server_address(server, 0));
  }
  const size_t before = __sanitizer_get_current_allocated_bytes();
  size_t after = 0;
  for (int i = 0; i < 3; i++) {
    calls(client, &held);
    clients(rpcx_server_address(server, 0));
  }
  /* The connections of clients that have gone end a moment later. */
  for (int i = 0; i < 2000; i++) {
    after = __sanitizer_get_current_allocated_bytes();
    if (after <= before + MOST) break;
    struct timespec moment = {0, 5 * 1000 * 1000};
    nanosleep(&moment, NULL);
  }
  if (after > before + MOST) {
    fprintf(stderr, "%zu bytes have become %zu\n", before, after);
    abort();
  }
  rpcx_client_free(client);
  rpcx_server_free(server);
}

int main(void) {
  memory_stays_flat();
  return 0;
}
