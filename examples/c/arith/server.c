/* The server of Go's own examples, in C: the service Arith with Mul, Add, Div and Say, in JSON.
 *
 *     arith-server-c [--addr tcp@127.0.0.1:8972]
 *
 * It runs until Ctrl-C, then finishes what it has accepted. */
#include <signal.h>

#include "arith.h"

/* Which operation a handler is for: its user_data. */
typedef enum operation { MUL, ADD, DIV } operation;
static operation operations[] = {MUL, ADD, DIV};

/* Quick enough to be answered at once. A handler that works longer hands the request to a thread of its own. */
static void calculate(void *user_data, rpcx_request *request) {
  rpcx_slice arguments = rpcx_request_payload(request);
  long long a = 0, b = 0;
  if (rpcx_request_serialize_type(request) != RPCX_SERIALIZE_JSON) {
    must(rpcx_request_fail(request, rpcx_text("this server speaks JSON")));
  } else if (!read_field(arguments, "A", &a) || !read_field(arguments, "B", &b)) {
    must(rpcx_request_fail(request, rpcx_text("the arguments are not {\"A\": number, \"B\": number}")));
  } else if (*(operation *)user_data == DIV && b == 0) {
    must(rpcx_request_fail(request, rpcx_text("divide by zero")));
  } else {
    operation what = *(operation *)user_data;
    /* Wraps around on overflow, as Go does. */
    unsigned long long product = (unsigned long long)a * (unsigned long long)b;
    unsigned long long sum = (unsigned long long)a + (unsigned long long)b;
    long long quotient = what != DIV ? 0 : b == -1 ? (long long)(0 - (unsigned long long)a) : a / b;
    long long c = what == MUL ? (long long)product : what == ADD ? (long long)sum : quotient;
    char reply[64];
    snprintf(reply, sizeof reply, "{\"C\":%lld}", c);
    must(rpcx_request_answer(request, rpcx_text(reply)));
  }
}

static void say(void *user_data, rpcx_request *request) {
  (void)user_data;
  rpcx_slice name = rpcx_request_payload(request), peer = rpcx_request_peer(request);
  if (rpcx_request_serialize_type(request) != RPCX_SERIALIZE_JSON || name.len < 2 || name.len > 100) {
    must(rpcx_request_fail(request, rpcx_text("say a name as a JSON string")));
    return;
  }
  /* A JSON string within quotes: what is greeted goes back as it came. */
  char reply[128];
  snprintf(reply, sizeof reply, "\"hello %.*s\"", (int)name.len - 2, (const char *)name.data + 1);
  printf("%.*s says hello from %.*s\n", (int)name.len - 2, (const char *)name.data + 1, (int)peer.len,
         (const char *)peer.data);
  must(rpcx_request_answer(request, rpcx_text(reply)));
}

static void add(rpcx_server *server, const char *method, void (*handle)(void *, rpcx_request *), void *user_data) {
  rpcx_handler handler = {.struct_size = sizeof handler, .handle = handle, .user_data = user_data};
  must(rpcx_server_add_method(server, "Arith", method, &handler, 0));
}

int main(int count, char **arguments) {
  /* Before there are other threads, so that they leave the signals to this one. */
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);

  /* README: the text from here on. */

  rpcx_server *server = NULL;
  must(rpcx_server_new(NULL, &server));
  must(rpcx_server_listen(server, address_from_arguments(count, arguments)));
  add(server, "Mul", calculate, &operations[MUL]);
  add(server, "Add", calculate, &operations[ADD]);
  add(server, "Div", calculate, &operations[DIV]);
  add(server, "Say", say, NULL);
  must(rpcx_server_start_wait(server));
  printf("listening on %s\n", rpcx_server_address(server, 0));
  fflush(stdout);
  /* README: the text up to here. */

  int signal = 0;
  sigwait(&signals, &signal);
  printf("shutting down\n");
  must(rpcx_server_shutdown_wait(server, 5000, false));
  rpcx_server_free(server);
  return 0;
}
