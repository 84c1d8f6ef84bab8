/* The client of Go's own examples, in C: calls the service Arith of a server in any language, in JSON.
 *
 *     arith-client-c [--addr tcp@127.0.0.1:8972] */
#include "arith.h"

/* README: the text from here on. */

/* Calls a method with two numbers; the error is the caller's to free. */
static rpcx_error *call(rpcx_client *client, const char *name, long long a, long long b, long long *c) {
  char arguments[80];
  snprintf(arguments, sizeof arguments, "{\"A\":%lld,\"B\":%lld}", a, b);
  rpcx_method *method = NULL; /* A program that calls more than once keeps it. */
  rpcx_reply *reply = NULL;
  rpcx_error *error = rpcx_client_method(client, "Arith", name, &method);
  if (!error) error = rpcx_method_call_wait(method, rpcx_text(arguments), NULL, &reply);
  if (!error && !read_field(rpcx_reply_payload(reply), "C", c)) {
    error = rpcx_error_new("codec.decode", rpcx_text("the reply is not {\"C\": number}"));
  }
  rpcx_reply_free(reply);
  rpcx_method_free(method);
  return error;
}
/* README: the text up to here. */

static void print(rpcx_client *client, const char *name, long long a, char sign, long long b) {
  long long c = 0;
  rpcx_error *error = call(client, name, a, b, &c);
  if (error) {
    printf("%lld %c %lld: %s\n", a, sign, b, rpcx_error_text(error));
  } else {
    printf("%lld %c %lld = %lld\n", a, sign, b, c);
  }
  rpcx_error_free(error);
}

/* A call whose answer is fetched from a queue, as programs do that make many at once. */
static void say(rpcx_client *client) {
  rpcx_queue *queue = NULL;
  rpcx_method *method = NULL;
  rpcx_event event;
  size_t count = 0;
  must(rpcx_queue_new(0, &queue));
  must(rpcx_client_method(client, "Arith", "Say", &method));
  must(rpcx_method_call_queue(method, rpcx_text("\"ada\""), NULL, queue, 1, NULL));
  must(rpcx_queue_wait(queue, &event, sizeof event, 1, UINT32_MAX, &count));
  if (event.error) {
    printf("say: %s\n", rpcx_error_text(event.error));
  } else {
    rpcx_slice greeting = rpcx_reply_payload(event.reply);
    if (greeting.len >= 2) printf("%.*s\n", (int)greeting.len - 2, (const char *)greeting.data + 1);
  }
  rpcx_error_free(event.error);
  rpcx_reply_free(event.reply);
  rpcx_method_free(method);
  rpcx_queue_free(queue);
}

int main(int count, char **arguments) {
  rpcx_config *config = NULL;
  rpcx_client *client = NULL;
  must(rpcx_config_new(RPCX_SCOPE_CLIENT, &config));
  must(rpcx_config_set(config, "serialize_type", "json"));
  must(rpcx_client_open(address_from_arguments(count, arguments), config, &client));
  rpcx_config_free(config);

  long long product = 0;
  must(call(client, "Mul", 10, 20, &product));
  printf("10 x 20 = %lld\n", product);
  /* A server of Go's examples may have only Mul: what it lacks it says, and the program goes on. */
  print(client, "Add", 10, '+', 20);
  print(client, "Div", 20, '/', 10);
  print(client, "Div", 20, '/', 0);
  say(client);
  rpcx_client_free(client);
  return 0;
}
