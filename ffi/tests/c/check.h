/* What the C tests share: checks that say where they failed, a count to wait for, and a server with a few methods. */
#ifndef RPCX_TESTS_CHECK_H
#define RPCX_TESTS_CHECK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rpcx.h"

#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);    \
      abort();                                                                         \
    }                                                                                  \
  } while (0)

/* Succeeds, or prints the error and ends the program. */
#define OK(call) ok_(call, __FILE__, __LINE__, #call)
static inline void ok_(rpcx_error *error, const char *file, int line, const char *what) {
  if (error) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, rpcx_error_text(error));
    abort();
  }
}

/* Fails with this kind, and a text that has this part. */
#define FAILS(call, kind, part) fails_(call, kind, part, __FILE__, __LINE__, #call)
static inline void fails_(rpcx_error *error, uint32_t kind, const char *part, const char *file, int line,
                          const char *what) {
  if (rpcx_error_kind(error) != kind || !strstr(rpcx_error_message(error), part)) {
    fprintf(stderr, "%s:%d: %s: expected kind %u and `%s`, got %u: %s\n", file, line, what, kind, part,
            rpcx_error_kind(error), rpcx_error_text(error));
    abort();
  }
  rpcx_error_free(error);
}

static inline bool is(rpcx_slice slice, const char *text) {
  return slice.len == strlen(text) && (slice.len == 0 || memcmp(slice.data, text, slice.len) == 0);
}

/* A number that one thread raises and another waits for. */
typedef struct count {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int value;
} count;

#define COUNT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void raise_count(count *count) {
  pthread_mutex_lock(&count->lock);
  count->value++;
  pthread_cond_broadcast(&count->changed);
  pthread_mutex_unlock(&count->lock);
}

static inline int read_count(count *count) {
  pthread_mutex_lock(&count->lock);
  int value = count->value;
  pthread_mutex_unlock(&count->lock);
  return value;
}

#define WAIT_FOR(count, wanted) wait_for_(count, wanted, __FILE__, __LINE__)
static inline void wait_for_(count *count, int wanted, const char *file, int line) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  pthread_mutex_lock(&count->lock);
  while (count->value < wanted) {
    if (pthread_cond_timedwait(&count->changed, &count->lock, &until)) {
      fprintf(stderr, "%s:%d: waited for %d, came to %d\n", file, line, wanted, count->value);
      abort();
    }
  }
  pthread_mutex_unlock(&count->lock);
}

static inline void drop_counts(void *user_data) { raise_count(user_data); }

/* Answers with what came. */
static inline void echo(void *user_data, rpcx_request *request) {
  (void)user_data;
  OK(rpcx_request_answer(request, rpcx_request_payload(request)));
}

static inline void fail(void *user_data, rpcx_request *request) {
  (void)user_data;
  OK(rpcx_request_fail(request, rpcx_text("no such luck")));
}

/* Requests that are held until the test lets them go. */
typedef struct held {
  count came;
  rpcx_request *requests[256];
} held;

static inline void hold(void *user_data, rpcx_request *request) {
  held *held = user_data;
  pthread_mutex_lock(&held->came.lock);
  held->requests[held->came.value] = request;
  pthread_mutex_unlock(&held->came.lock);
  raise_count(&held->came);
}

static inline void add(rpcx_server *server, const char *method, void (*handle)(void *, rpcx_request *), void *user_data) {
  rpcx_handler handler = {sizeof handler, handle, NULL, user_data};
  OK(rpcx_server_add_method(server, "Test", method, &handler, 0));
}

/* A server with Test.Echo, Test.Fail and Test.Hold on a port that the system chose. */
static inline rpcx_server *start_server(held *held) {
  rpcx_server *server = NULL;
  OK(rpcx_server_new(NULL, &server));
  OK(rpcx_server_listen(server, "tcp@127.0.0.1:0"));
  add(server, "Echo", echo, NULL);
  add(server, "Fail", fail, NULL);
  if (held) add(server, "Hold", hold, held);
  OK(rpcx_server_start_wait(server));
  return server;
}

static inline rpcx_client *open_client(const char *address) {
  rpcx_client *client = NULL;
  rpcx_config *config = NULL;
  OK(rpcx_config_new(RPCX_SCOPE_CLIENT, &config));
  OK(rpcx_config_set(config, "serialize_type", "raw"));
  OK(rpcx_client_open(address, config, &client));
  rpcx_config_free(config);
  return client;
}

static inline rpcx_method *method_of(rpcx_client *client, const char *name) {
  rpcx_method *method = NULL;
  OK(rpcx_client_method(client, "Test", name, &method));
  return method;
}

/* A completion that keeps what it was told. */
typedef struct outcome {
  count done;
  count dropped;
  rpcx_reply *reply;
  rpcx_error *error;
} outcome;

#define OUTCOME {COUNT, COUNT, NULL, NULL}

static inline void keep_outcome(void *user_data, rpcx_reply *reply, rpcx_error *error) {
  outcome *outcome = user_data;
  outcome->reply = reply;
  outcome->error = error;
  raise_count(&outcome->done);
}

static inline void drop_outcome(void *user_data) { raise_count(&((outcome *)user_data)->dropped); }

static inline rpcx_completion into(outcome *outcome) {
  rpcx_completion completion = {sizeof completion, keep_outcome, drop_outcome, outcome};
  return completion;
}

/* Waits for both of it, which must come exactly once. */
static inline void finish(outcome *outcome) {
  WAIT_FOR(&outcome->dropped, 1);
  CHECK(read_count(&outcome->done) == 1 && read_count(&outcome->dropped) == 1);
  rpcx_reply_free(outcome->reply);
  rpcx_error_free(outcome->error);
  outcome->reply = NULL;
  outcome->error = NULL;
}

/* Waits for a child that must end well. */
static inline void expect_status_0(pid_t child) {
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) {
    fprintf(stderr, "the child ended with %#x\n", (unsigned)status);
    abort();
  }
}

#endif
