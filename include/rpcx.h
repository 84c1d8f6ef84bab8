/*
 * rpcx.h: the C interface of librpcx, the rpcx protocol as client and as server.
 *
 * Generated from ffi/src; what differs from there fails a test.
 *
 * A call, waiting for its answer:
 *
 *     rpcx_client *client = NULL;
 *     rpcx_method *mul = NULL;
 *     rpcx_reply *reply = NULL;
 *     rpcx_error *error = rpcx_client_open("tcp@127.0.0.1:8972", NULL, &client);
 *     if (!error) error = rpcx_client_method(client, "Arith", "Mul", &mul);
 *     if (!error) error = rpcx_method_call_wait(mul, rpcx_text(payload), NULL, &reply);
 *     if (error) fprintf(stderr, "%s\n", rpcx_error_text(error));
 *     rpcx_error_free(error);
 *     rpcx_reply_free(reply);
 *     rpcx_method_free(mul);
 *     rpcx_client_free(client);
 *
 * ERRORS. What can fail returns an rpcx_error, NULL on success. The receiver owns it: rpcx_error_free(). On failure
 * nothing is written through `out` pointers. An argument that must not be NULL and is, text that is not UTF-8, or a
 * struct_size that was not set, gives kind RPCX_ERROR_CONFIG and names the argument. A function that cannot return an
 * error gives 0, NULL, false or an empty slice for NULL. A panic of this library is an error too (RPCX_ERROR_INTERNAL):
 * none crosses this boundary.
 *
 * OWNERSHIP. What `_new`, `_open` and other functions write to an `out` argument is the caller's until its `_free`,
 * which takes NULL. What a function takes over it says so. What is given as `const T *`, rpcx_slice or `const char *` is
 * borrowed until the function returns, except an rpcx_buffer, which is kept until its `release` runs. What functions
 * return as `const T *`, `const char *` or rpcx_slice belongs to the object they were asked about, and is valid until
 * that is freed or changed. Handles keep what they need alive: a client may be freed before its methods and its calls.
 *
 * THREADS. Every handle may be used on any thread. Functions that take it as `const T *` may run at the same time as any
 * other on it but its `_free`; those that take `T *` must be alone with it. The library has threads of its own, shared by
 * all clients and servers of the process, on which connections live.
 *
 * BLOCKING. Only functions whose names end in `_wait` block; on a thread of the library, so inside a callback, they fail
 * with RPCX_ERROR_CONFIG. All others, `_free` and `_close` among them, never block and may be called inside callbacks,
 * also on the object that the callback is about.
 *
 * CALLBACKS run on threads of the library, several at once, and never inside the function that they were given to. Each
 * must return soon, neither block nor throw, and not leave by longjmp. Each comes with `user_data`, which it gets back as
 * it is, and `drop_user_data`, which runs exactly once: after the last callback, or at once when the function that took
 * it failed. It may be NULL.
 *
 * STRUCTS other than rpcx_slice go by pointer and begin with their size: set struct_size to sizeof, and all else that you
 * do not need to zero. Later versions add fields at the end. Options that are needed seldom are set by their names in
 * docs/CONFIGURATION.md, with rpcx_config_set(); a new option needs no new symbol.
 *
 * TEXT is UTF-8: `const char *` ends with a NUL, an rpcx_slice does not.
 *
 * LIFETIMES. `_close` ends a client or server at once; calls under way fail with RPCX_ERROR_CLOSED. Its handle, and those
 * made from it, stay valid, and fail with the same error, until they are freed. Freeing the last handle of a client or a
 * server closes it. After fork() every handle from before fails with RPCX_ERROR_CLOSED in the child, where freeing it
 * does nothing; make new ones there. A process may exit without closing anything. The library cannot be unloaded: dlclose()
 * leaves it where it is.
 *
 * VERSIONS. The SONAME is librpcx.so.0. Within it functions, constants and fields are added, never changed or removed.
 */

#ifndef RPCX_H
#define RPCX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Of functions whose result must not be ignored. */
#if defined(__GNUC__) || defined(__clang__)
#define RPCX_MUST_USE __attribute__((warn_unused_result))
#else
#define RPCX_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Handles ---- */

/** Text that the library made. */
typedef struct rpcx_string rpcx_string;

/** Why something failed; NULL means that it did not. Never changes, owned by its receiver. */
typedef struct rpcx_error rpcx_error;

/** Pairs of text beside a payload: each key once, in no order. Keys that begin with "__" belong to the protocol. */
typedef struct rpcx_metadata rpcx_metadata;

/**
 * Options of a client, a server or a call by their names in docs/CONFIGURATION.md. It is copied by whatever takes it.
 */
typedef struct rpcx_config rpcx_config;

/**
 * What a call brought back. That of a batch or an inform has no payload of its own but parts: one a call or server.
 */
typedef struct rpcx_reply rpcx_reply;

/**
 * Where calls, requests and pushes wait to be fetched, by any number of threads. A wake-up serves all that have come, which
 * is what makes it fast under load.
 */
typedef struct rpcx_queue rpcx_queue;

/** A client: connections to the servers of any number of services, found by one discovery. */
typedef struct rpcx_client rpcx_client;

/** A method to call. It outlives its client: then calls fail with RPCX_ERROR_CLOSED. */
typedef struct rpcx_method rpcx_method;

/** A call under way: what cancels it. The call goes on when it is freed. */
typedef struct rpcx_call rpcx_call;

/** Calls, of any methods and kinds, that are started together and end together, as one reply with a part for each. */
typedef struct rpcx_batch rpcx_batch;

/**
 * What a nested call inherits from the call that it is made for: its deadline, and the metadata that the client's option
 * `propagate_metadata` names (by default `traceparent`, `tracestate` and `baggage`). From rpcx_request_context().
 */
typedef struct rpcx_context rpcx_context;

/** A message that a server sent on its own; from a subscription. */
typedef struct rpcx_push rpcx_push;

/** A server: first its parts are added, then it is started, once. */
typedef struct rpcx_server rpcx_server;

/**
 * A request under way, from a handler or a queue. Its owner answers it once, from any thread, at any later time; it must not
 * be used after that. Freed without an answer, it is answered as if its handler had panicked.
 */
typedef struct rpcx_request rpcx_request;

/** A client's connection to a server. A handle does not keep it open. */
typedef struct rpcx_connection rpcx_connection;

/** A token to be judged, once: rpcx_auth_accept() or rpcx_auth_refuse(). Freed without that, it is refused. */
typedef struct rpcx_auth rpcx_auth;

/**
 * A call at an interceptor. It may be looked at and changed, then goes on, or not, and is ended with the result that its
 * caller gets. Freed without that, the call fails with RPCX_ERROR_INTERNAL.
 */
typedef struct rpcx_interception rpcx_interception;

/* ---- Structs, described where they are used ---- */

typedef struct rpcx_slice rpcx_slice;
typedef struct rpcx_buffer rpcx_buffer;
typedef struct rpcx_log_record rpcx_log_record;
typedef struct rpcx_logger rpcx_logger;
typedef struct rpcx_completion rpcx_completion;
typedef struct rpcx_event rpcx_event;
typedef struct rpcx_subscriber rpcx_subscriber;
typedef struct rpcx_call_options rpcx_call_options;
typedef struct rpcx_handler rpcx_handler;
typedef struct rpcx_authenticator rpcx_authenticator;
typedef struct rpcx_interceptor rpcx_interceptor;

/* ---- Versions and tables ---- */

/** The ABI that this header describes. It rises with every addition. */
#define RPCX_ABI_VERSION 1

/** The ABI of the loaded library. A program that was compiled with a lower RPCX_ABI_VERSION works with it. */
uint32_t rpcx_abi_version(void);

/** The library's version, such as "0.1.0". Never freed. */
const char *rpcx_version(void);

/** Every option with its type, range, default, scope and meaning, as a JSON array; for tools and tests. */
RPCX_MUST_USE rpcx_error *rpcx_options_json(rpcx_string **out);

/**
 * Every kind of error with its number, the reasons and the delivery states, as a JSON object; for tools and tests.
 */
RPCX_MUST_USE rpcx_error *rpcx_errors_json(rpcx_string **out);

/* ---- Bytes and text ---- */

/** Some bytes of somebody else's. The only struct that goes by value. With `len` 0 `data` may be NULL. */
struct rpcx_slice {
  /** The first byte. */
  const uint8_t *data;
  /** How many there are. */
  size_t len;
};

/**
 * A payload that is kept instead of copied. The struct itself is only read; the bytes must not change before `release`.
 */
struct rpcx_buffer {
  /** sizeof(rpcx_buffer). */
  size_t struct_size;
  /** The first byte. */
  const uint8_t *data;
  /** How many there are. */
  size_t len;
  /**
   * Says that the bytes are not needed any more: exactly once, on any thread, also when the function that took the
   * buffer fails. Must not block. NULL: they live for ever.
   */
  void (*release)(void *user_data);
  /** Handed to `release`. */
  void *user_data;
};

/** The text, with a NUL at its end; valid until the string is freed. */
const char *rpcx_string_data(const rpcx_string *string);

/** Its length without the NUL. */
size_t rpcx_string_len(const rpcx_string *string);

/** Frees a string; NULL is allowed. */
void rpcx_string_free(rpcx_string *string);

/* ---- Errors ---- */

/** An argument or option is not acceptable; the text names it and what is allowed. */
#define RPCX_ERROR_CONFIG 1
/** No connection could be opened. */
#define RPCX_ERROR_CONNECT 2
/** Discovery or the selector had no server to offer. */
#define RPCX_ERROR_NO_SERVER 3
/** The deadline of the call passed. */
#define RPCX_ERROR_TIMEOUT 4
/** The service itself answered with an error; the text is its own. */
#define RPCX_ERROR_SERVICE 5
/** The call was given up before its answer came. */
#define RPCX_ERROR_CANCELLED 6
/** Refused because too much is waiting or running. */
#define RPCX_ERROR_OVERLOAD 7
/** Bytes on the connection are not what the protocol allows. */
#define RPCX_ERROR_PROTOCOL 8
/** Arguments or a reply could not be encoded or decoded. */
#define RPCX_ERROR_CODEC 9
/** A size or count is above a configured limit; the text names the limit. */
#define RPCX_ERROR_LIMIT 10
/** The server did not accept the caller's token. */
#define RPCX_ERROR_AUTH 11
/** The connection, or the client, ended before the answer came. */
#define RPCX_ERROR_CLOSED 12
/** The server is going away and takes no new calls. */
#define RPCX_ERROR_SHUTTING_DOWN 13
/** This build or this peer cannot do what was asked. */
#define RPCX_ERROR_UNSUPPORTED 14
/** A panic or a broken invariant of the library: please report it. */
#define RPCX_ERROR_INTERNAL 99

/** No complete request left for the server: no handler can have run. */
#define RPCX_DELIVERY_NOT_SENT 0
/** The request may have arrived: a handler may have run, or may still run. */
#define RPCX_DELIVERY_MAYBE_RUN 1
/** The server answered, and the error is that answer or what was made of it. */
#define RPCX_DELIVERY_ANSWERED 2

/**
 * Makes an error, for interceptors and tests. `reason` is a name of docs/ERRORS.md, such as
 * "overload.rate"; any other gives "service.error". Never NULL.
 */
RPCX_MUST_USE rpcx_error *rpcx_error_new(const char *reason, rpcx_slice message);

/** The same error once more, with an owner of its own. NULL for NULL. */
RPCX_MUST_USE rpcx_error *rpcx_error_clone(const rpcx_error *error);

/** What kind of failure it is: RPCX_ERROR_TIMEOUT and the others, the same numbers in every language. 0 for NULL. */
uint32_t rpcx_error_kind(const rpcx_error *error);

/** The kind's name: "timeout". */
const char *rpcx_error_kind_name(const rpcx_error *error);

/** Why exactly, a stable name within the kind: "timeout.call". docs/ERRORS.md has them all. */
const char *rpcx_error_reason(const rpcx_error *error);

/** How far the request got, so what a retry may assume: RPCX_DELIVERY_NOT_SENT and the others. */
uint32_t rpcx_error_delivery(const rpcx_error *error);

/** The bare text, in one line. For kind `service` exactly the server's words. */
const char *rpcx_error_message(const rpcx_error *error);

/** The text to print: the message, the reason, and what to do about it. */
const char *rpcx_error_text(const rpcx_error *error);

/** The server of the last attempt, as the discovery spells it; NULL when none was selected. */
const char *rpcx_error_server(const rpcx_error *error);

/** Attempts that were made, failed dials included. */
uint32_t rpcx_error_attempts(const rpcx_error *error);

/** Whether making the call again is safe and may help; `idempotent`: running the handler twice does no harm. */
bool rpcx_error_is_retryable(const rpcx_error *error, bool idempotent);

/** Frees an error; NULL is allowed. */
void rpcx_error_free(rpcx_error *error);

/* ---- Metadata ---- */

/** Makes one without pairs. */
RPCX_MUST_USE rpcx_error *rpcx_metadata_new(rpcx_metadata **out);

/** Makes a copy, as of a reply's, to be kept or changed. */
RPCX_MUST_USE rpcx_error *rpcx_metadata_clone(const rpcx_metadata *metadata, rpcx_metadata **out);

/** Sets the value of a key, in place of the one it had. Both must be UTF-8. */
RPCX_MUST_USE rpcx_error *rpcx_metadata_set(rpcx_metadata *metadata, rpcx_slice key, rpcx_slice value);

/** Takes a key out; whether it was there. */
bool rpcx_metadata_remove(rpcx_metadata *metadata, rpcx_slice key);

/** Looks a key up: true, and its value in `value` (NULL: not wanted), if it is there. */
bool rpcx_metadata_get(const rpcx_metadata *metadata, rpcx_slice key, rpcx_slice *value);

/** How many pairs there are. */
size_t rpcx_metadata_len(const rpcx_metadata *metadata);

/**
 * Walks the pairs: writes the next one and is true, or is false at the end. `cursor` is 0 before the first; changing the
 * metadata meanwhile makes it worthless.
 *
 *     size_t cursor = 0;
 *     rpcx_slice key, value;
 *     while (rpcx_metadata_next(metadata, &cursor, &key, &value)) { ... }
 */
bool rpcx_metadata_next(const rpcx_metadata *metadata, size_t *cursor, rpcx_slice *key, rpcx_slice *value);

/** Frees metadata that the caller owns; NULL is allowed. */
void rpcx_metadata_free(rpcx_metadata *metadata);

/* ---- Options by name ---- */

/** Options of a client. */
#define RPCX_SCOPE_CLIENT 1
/** Options of a server. */
#define RPCX_SCOPE_SERVER 2
/** Options of calls: made once, used by any number of them. */
#define RPCX_SCOPE_CALL 3

/** Makes one for `scope`: RPCX_SCOPE_CLIENT and the others. */
RPCX_MUST_USE rpcx_error *rpcx_config_new(uint32_t scope, rpcx_config **out);

/**
 * Sets an option: rpcx_config_set(config, "timeout", "500ms"). Times are written `500ms`, `30s` (a bare number:
 * milliseconds), sizes `64MiB` (bytes), switches `true` and `false`, lists with commas. An unknown name or a value out of
 * its range fails and leaves everything as it was.
 */
RPCX_MUST_USE rpcx_error *rpcx_config_set(rpcx_config *config, const char *name, const char *value);

/**
 * How many of the library's threads a client or server uses. 0: one for a client, one per core for a server. Threads are
 * shared: the process has as many as the one that asked for most.
 */
RPCX_MUST_USE rpcx_error *rpcx_config_set_threads(rpcx_config *config, size_t threads);

/**
 * Adds an interceptor, inside of those added before. On a client it runs once a call, before server selection and
 * retries; on a server around the handler, after authentication.
 */
RPCX_MUST_USE rpcx_error *rpcx_config_add_interceptor(rpcx_config *config, const rpcx_interceptor *interceptor);

/** Frees it; NULL is allowed. */
void rpcx_config_free(rpcx_config *config);

/* ---- The library's threads ---- */

/**
 * Says how the library's threads are made from now on: at least `threads` (0: as before), named `<thread_name>-0` and so
 * on (NULL: as before). Threads are made with the first client or server and end with the last.
 */
RPCX_MUST_USE rpcx_error *rpcx_runtime_configure(size_t threads, const char *thread_name);

/* ---- Logging ---- */

/** Something failed that should not. */
#define RPCX_LOG_ERROR 1
/** Something to look at: a refused connection, a slow call. */
#define RPCX_LOG_WARN 2
/** What happens seldom: a server started, a breaker opened. */
#define RPCX_LOG_INFO 3
/** What helps to find a mistake. */
#define RPCX_LOG_DEBUG 4
/** Everything. */
#define RPCX_LOG_TRACE 5

/** One event of the log; it and its text are valid until `log` returns. */
struct rpcx_log_record {
  /** The size of this struct in the loaded library. */
  size_t struct_size;
  /** RPCX_LOG_WARN and the others. */
  uint32_t level;
  /** Always 0. */
  uint32_t reserved;
  /** The part of the library: `rpcx::client`. */
  rpcx_slice target;
  /** What happened, in one line. */
  rpcx_slice message;
};

/** Where the library's log goes. */
struct rpcx_logger {
  /** sizeof(rpcx_logger). */
  size_t struct_size;
  /** Gets each event, on whatever thread it happens. Must be quick. */
  void (*log)(void *user_data, const rpcx_log_record *record);
  /** Frees `user_data`, once, after the last event; NULL: nothing to free. */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/**
 * Sends the library's log to `logger`, events of `level` and above; NULL ends it. It is the process's: the last one set
 * wins. Without one nothing is written anywhere. At most a hundred events a second are told; the next one says how many
 * were not.
 */
RPCX_MUST_USE rpcx_error *rpcx_log_set(uint32_t level, const rpcx_logger *logger);

/* ---- Replies ---- */

/** Makes a reply, for interceptors that answer by themselves. Both are copied; `metadata` may be NULL. */
RPCX_MUST_USE rpcx_error *rpcx_reply_new(rpcx_slice payload, const rpcx_metadata *metadata, rpcx_reply **out);

/** The reply, encoded as the call's serialize type says, decompressed. */
rpcx_slice rpcx_reply_payload(const rpcx_reply *reply);

/** The response metadata; never NULL but for NULL. */
const rpcx_metadata *rpcx_reply_metadata(const rpcx_reply *reply);

/** The server that answered, as the discovery spells it. */
rpcx_slice rpcx_reply_server(const rpcx_reply *reply);

/** Attempts that were made, failed dials included. */
uint32_t rpcx_reply_attempts(const rpcx_reply *reply);

/**
 * How many parts there are: of a batch its calls in the order they were added, of an inform the servers sorted by address.
 */
size_t rpcx_reply_parts(const rpcx_reply *reply);

/** What a part brought back, a part of this reply; NULL if it failed or there is no such part. */
const rpcx_reply *rpcx_reply_part(const rpcx_reply *reply, size_t index);

/** Why a part failed, a part of this reply; NULL if it succeeded or there is no such part. */
const rpcx_error *rpcx_reply_part_error(const rpcx_reply *reply, size_t index);

/** The server of a part; empty where none was selected. */
rpcx_slice rpcx_reply_part_server(const rpcx_reply *reply, size_t index);

/** Frees a reply with its parts; NULL is allowed. */
void rpcx_reply_free(rpcx_reply *reply);

/* ---- Completions: how something ends ---- */

/** What is told when something has ended: a call, a start, a shutdown. */
struct rpcx_completion {
  /** sizeof(rpcx_completion). */
  size_t struct_size;
  /**
   * Runs exactly once, on a thread of the library. Of a call, exactly one of `reply` and `error` is not NULL; of
   * anything else `reply` is NULL, and so is `error` if it went well. They are the receiver's to free.
   */
  void (*done)(void *user_data, rpcx_reply *reply, rpcx_error *error);
  /**
   * Frees `user_data`, once, after `done`; also if the function that was given this failed, when `done` never runs.
   * NULL: nothing to free.
   */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/* ---- Completion queues: what has ended or come, fetched in batches ---- */

/** The queue has a descriptor that an event loop can wait for: rpcx_queue_fd(). */
#define RPCX_QUEUE_FD 1
/**
 * The thread that waits in rpcx_queue_wait() reads and writes connections itself meanwhile, which saves a wake-up between
 * threads for each batch: for a program with one thread that does little but wait and hand over. Such a queue keeps one of
 * the library's threads.
 */
#define RPCX_QUEUE_DRIVE 2

/** A call has ended: `reply` or `error` is set. */
#define RPCX_EVENT_REPLY 1
/** A server got a request: `request` is set. */
#define RPCX_EVENT_REQUEST 2
/** A message that a server pushed: `push` is set. NULL: the client was closed, and this is its last one. */
#define RPCX_EVENT_PUSH 3
/** A server asks whether a token is good: `auth` is set. */
#define RPCX_EVENT_AUTH 4

/** Something that has ended or come. What its pointers point to is the receiver's, to answer or to free. */
struct rpcx_event {
  /** How much of this struct the library has written. */
  size_t struct_size;
  /** As it was given when the call was made, or the method added. */
  uint64_t tag;
  /** What it is: RPCX_EVENT_REPLY and the others. Kinds that you do not know come only to tags you gave for them. */
  uint32_t kind;
  /** Always 0. */
  uint32_t reserved;
  /** What a call brought back. */
  rpcx_reply *reply;
  /** Why a call failed. */
  rpcx_error *error;
  /** A request to be answered. */
  rpcx_request *request;
  /** A message of a server. */
  rpcx_push *push;
  /** A token to be judged. */
  rpcx_auth *auth;
};

/**
 * Makes a queue. `flags`: 0, RPCX_QUEUE_FD for one that is waited for by its descriptor instead of by rpcx_queue_wait(),
 * or RPCX_QUEUE_DRIVE.
 */
RPCX_MUST_USE rpcx_error *rpcx_queue_new(uint32_t flags, rpcx_queue **out);

/**
 * The descriptor of a queue with RPCX_QUEUE_FD, else -1. It is readable while there are events; wait for that with poll,
 * epoll or an event loop, and do nothing else with it. It is closed when the queue is freed.
 */
int32_t rpcx_queue_fd(const rpcx_queue *queue);

/**
 * Fetches up to `max` events without waiting. `events` is an array of `max` places, `event_size` is sizeof(rpcx_event);
 * `count` is set to how many came, 0 for none. RPCX_ERROR_CLOSED: none came, and the queue is closed.
 */
RPCX_MUST_USE rpcx_error *rpcx_queue_poll(const rpcx_queue *queue, rpcx_event *events, size_t event_size, size_t max,
    size_t *count);

/**
 * As rpcx_queue_poll(), but waits until there is an event, at most `timeout_ms` (UINT32_MAX: for ever); `count` is 0 when
 * that has passed. For queues without RPCX_QUEUE_FD. Any number of threads may wait; each event comes to one of them.
 */
RPCX_MUST_USE rpcx_error *rpcx_queue_wait(const rpcx_queue *queue, rpcx_event *events, size_t event_size, size_t max,
    uint32_t timeout_ms, size_t *count);

/**
 * Ends all waits on it. What is in it can still be fetched; what comes later is freed, requests are answered as if their
 * handler had panicked.
 */
void rpcx_queue_close(const rpcx_queue *queue);

/** Closes and frees it, with what is in it; NULL is allowed. No thread may be waiting on it. */
void rpcx_queue_free(rpcx_queue *queue);

/* ---- Clients ---- */

/**
 * Makes a client. Nothing is connected before the first call.
 *
 * `discovery` says where servers are: an address ("tcp@127.0.0.1:8972"), or the URL of a discovery. NULL: nowhere, before
 * rpcx_client_set_nodes() names them. `config` (copied; NULL: all defaults) is of scope RPCX_SCOPE_CLIENT.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_open(const char *discovery, const rpcx_config *config, rpcx_client **out);

/**
 * A method to call, by the service path and the method that the servers registered. It keeps what belongs to the two
 * together: make it once, use it for every call.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_method(const rpcx_client *client, const char *service, const char *method,
    rpcx_method **out);

/**
 * Replaces the servers of a client that was opened without a discovery: `count` texts "tcp@host:port?weight=7&group=a".
 * Calls that are under way go on.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_set_nodes(const rpcx_client *client, const char *const *nodes, size_t count);

/** What the client has counted, as JSON. */
RPCX_MUST_USE rpcx_error *rpcx_client_stats_json(const rpcx_client *client, rpcx_string **out);

/** The same in Prometheus' text format; `name` tells several clients of a process apart. */
RPCX_MUST_USE rpcx_error *rpcx_client_metrics_text(const rpcx_client *client, const char *name, rpcx_string **out);

/** Gets what servers push to a client. */
struct rpcx_subscriber {
  /** sizeof(rpcx_subscriber). */
  size_t struct_size;
  /**
   * Gets each message, one after the other, on a thread of the library; it is the receiver's to free. NULL once, at the
   * end, when the client was closed.
   */
  void (*push)(void *user_data, rpcx_push *push);
  /** Frees `user_data`, once, after the last message; NULL: nothing to free. */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/**
 * Hands what servers push to `subscriber`, until the client is closed. Each message goes to one subscriber; what comes
 * before the first one waits, as far as the options `push_queue` and `push_overflow` let it.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_subscribe(const rpcx_client *client, const rpcx_subscriber *subscriber);

/**
 * As rpcx_client_subscribe(), into a queue: RPCX_EVENT_PUSH with `tag`. At most 1,024 messages wait there; what comes
 * beyond that waits in the client. Closing the queue ends it.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_subscribe_queue(const rpcx_client *client, const rpcx_queue *queue, uint64_t tag);

/**
 * Ends the client at once: calls under way fail with RPCX_ERROR_CLOSED, and so do later ones. May be called again.
 */
void rpcx_client_close(const rpcx_client *client);

/**
 * Takes no new calls, waits for those under way, at most `deadline_ms`, then closes. `completion` gets RPCX_ERROR_TIMEOUT
 * when calls were cut off.
 */
RPCX_MUST_USE rpcx_error *rpcx_client_shutdown(const rpcx_client *client, uint32_t deadline_ms,
    const rpcx_completion *completion);

/** As rpcx_client_shutdown(), waiting on this thread. */
RPCX_MUST_USE rpcx_error *rpcx_client_shutdown_wait(const rpcx_client *client, uint32_t deadline_ms);

/**
 * Frees the handle; NULL is allowed. With the last handle the client is closed; methods and subscriptions are no handles of
 * it: their calls fail then.
 */
void rpcx_client_free(rpcx_client *client);

/* ---- Methods and calls ---- */

/** Calls one server, retried as the option `fail_mode` says. */
#define RPCX_KIND_CALL 0
/** Calls every server: all must succeed, the first reply is returned. */
#define RPCX_KIND_BROADCAST 1
/** Calls every server: the first success wins and cancels the others. */
#define RPCX_KIND_FORK 2
/** Calls every server: the reply has a part for each, rpcx_reply_part(). */
#define RPCX_KIND_INFORM 3
/** Sends a request that no server answers: it ends, with an empty reply, when a connection has taken it. */
#define RPCX_KIND_ONEWAY 4

/** The payload is bytes as they are. */
#define RPCX_SERIALIZE_RAW 0
/** JSON. */
#define RPCX_SERIALIZE_JSON 1
/** A bare Protocol Buffers message. */
#define RPCX_SERIALIZE_PROTOBUF 2
/** MessagePack, the default. */
#define RPCX_SERIALIZE_MSGPACK 3
/** A struct in Thrift's binary protocol. */
#define RPCX_SERIALIZE_THRIFT 4

/** Running the handler twice does no harm: the call is sent again though it may have run. */
#define RPCX_CALL_IDEMPOTENT 1

/** `timeout_ms` of a call without a deadline. */
#define RPCX_NO_TIMEOUT 4294967295

/** What is often said of a call; all zero is the client's own. Only read while the function runs. */
struct rpcx_call_options {
  /** sizeof(rpcx_call_options). */
  size_t struct_size;
  /** Who is called: RPCX_KIND_CALL and the others. */
  uint32_t kind;
  /** Time for the whole call, retries included. 0: the client's, RPCX_NO_TIMEOUT: none. */
  uint32_t timeout_ms;
  /** 0 or RPCX_CALL_IDEMPOTENT. */
  uint32_t flags;
  /** Must be 0. */
  uint32_t reserved;
  /** Sent beside the payload; NULL: none. */
  const rpcx_metadata *metadata;
  /** The call that this one is made for, such as a handler's request; NULL: none. */
  const rpcx_context *parent;
  /** What consistent hashing goes by; empty: service, method and payload. */
  rpcx_slice hash_key;
  /** The only server to use, spelled as the discovery does; empty: one is selected. */
  rpcx_slice target;
  /** The payload, kept instead of copied: the argument `payload` must be empty then. NULL: none. */
  const rpcx_buffer *buffer;
  /** Further options by name, of scope RPCX_SCOPE_CALL; what stands above wins. NULL: none. */
  const rpcx_config *config;
};

/**
 * Starts a call and returns; `completion` is told how it ended. `payload` is copied, encoded as the option
 * `serialize_type` says. `options` may be NULL. `out` gets what cancels the call, unless it is NULL; it may be written after
 * `done` has run.
 */
RPCX_MUST_USE rpcx_error *rpcx_method_call(const rpcx_method *method, rpcx_slice payload,
    const rpcx_call_options *options, const rpcx_completion *completion, rpcx_call **out);

/** As rpcx_method_call(), but its end goes into a queue: RPCX_EVENT_REPLY with `tag`. */
RPCX_MUST_USE rpcx_error *rpcx_method_call_queue(const rpcx_method *method, rpcx_slice payload,
    const rpcx_call_options *options, const rpcx_queue *queue, uint64_t tag, rpcx_call **out);

/**
 * Makes a call and waits for its reply on this thread, which may do the library's own work meanwhile, but runs no callbacks of
 * others.
 */
RPCX_MUST_USE rpcx_error *rpcx_method_call_wait(const rpcx_method *method, rpcx_slice payload,
    const rpcx_call_options *options, rpcx_reply **out);

/**
 * Sends a request that is never answered and does not even wait for a connection: what fails later is only logged.
 * `options->kind` must be RPCX_KIND_CALL.
 */
RPCX_MUST_USE rpcx_error *rpcx_method_oneshot(const rpcx_method *method, rpcx_slice payload,
    const rpcx_call_options *options);

/** Ends a call with RPCX_ERROR_CANCELLED, unless it has ended; its server is told. Its completion still runs. */
void rpcx_call_cancel(const rpcx_call *call);

/** Frees the handle; NULL is allowed. The call goes on. */
void rpcx_call_free(rpcx_call *call);

/** Frees the handle; NULL is allowed. Its calls go on. */
void rpcx_method_free(rpcx_method *method);

/* ---- Batches: many calls handed over at once ---- */

/** Makes an empty batch. */
RPCX_MUST_USE rpcx_error *rpcx_batch_new(rpcx_batch **out);

/** Adds a call; arguments as of rpcx_method_call(). Nothing is sent yet. */
RPCX_MUST_USE rpcx_error *rpcx_batch_add(rpcx_batch *batch, const rpcx_method *method, rpcx_slice payload,
    const rpcx_call_options *options);

/**
 * Starts the calls and empties the batch, which may be filled again. `completion` runs when all have ended: its reply has a
 * part for each, in the order they were added. `out` (NULL: not wanted) gets what cancels them all.
 */
RPCX_MUST_USE rpcx_error *rpcx_batch_call(rpcx_batch *batch, const rpcx_completion *completion, rpcx_call **out);

/** As rpcx_batch_call(), into a queue: one RPCX_EVENT_REPLY with `tag`. */
RPCX_MUST_USE rpcx_error *rpcx_batch_call_queue(rpcx_batch *batch, const rpcx_queue *queue, uint64_t tag,
    rpcx_call **out);

/** As rpcx_batch_call(), waiting on this thread. */
RPCX_MUST_USE rpcx_error *rpcx_batch_call_wait(rpcx_batch *batch, rpcx_reply **out);

/** Frees it with what it has not started; NULL is allowed. */
void rpcx_batch_free(rpcx_batch *batch);

/* ---- Contexts: the parents of nested calls ---- */

/**
 * Makes a context by its parts: `timeout_ms` from now (UINT32_MAX: no deadline) and metadata (copied; NULL: none).
 */
RPCX_MUST_USE rpcx_error *rpcx_context_new(uint32_t timeout_ms, const rpcx_metadata *metadata, rpcx_context **out);

/** Frees it; NULL is allowed. Calls that were made with it go on. */
void rpcx_context_free(rpcx_context *context);

/* ---- Pushed messages ---- */

/** The service path that the server wrote. */
rpcx_slice rpcx_push_service(const rpcx_push *push);

/** The method that the server wrote. */
rpcx_slice rpcx_push_method(const rpcx_push *push);

/** The address of the server it came from. */
rpcx_slice rpcx_push_server(const rpcx_push *push);

/** Its metadata; never NULL but for NULL. */
const rpcx_metadata *rpcx_push_metadata(const rpcx_push *push);

/** Its payload as it came. */
rpcx_slice rpcx_push_payload(const rpcx_push *push);

/** How the payload is encoded: RPCX_SERIALIZE_RAW and the others. Go's servers always say raw. */
uint32_t rpcx_push_serialize_type(const rpcx_push *push);

/** Frees it; NULL is allowed. */
void rpcx_push_free(rpcx_push *push);

/* ---- Servers ---- */

/**
 * Makes a server that listens nowhere and has no methods. `config` (copied; NULL: all defaults) is of scope
 * RPCX_SCOPE_SERVER.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_new(const rpcx_config *config, rpcx_server **out);

/**
 * Adds an address to listen on, before the start: "tcp@127.0.0.1:8972", port 0 for one that the system chooses,
 * "unix@/run/arith.sock".
 */
RPCX_MUST_USE rpcx_error *rpcx_server_listen(const rpcx_server *server, const char *address);

/** Adds a registry by its URL, before the start: the server announces its services there. */
RPCX_MUST_USE rpcx_error *rpcx_server_add_registry(const rpcx_server *server, const char *url);

/**
 * Sets what is announced for a service (NULL: for all) beside the address: "group=a&weight=7". Before the start or while it
 * runs.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_set_metadata(const rpcx_server *server, const char *service,
    const char *metadata);

/** Adds a method, before the start; one of the same name is replaced. `flags`: 0 or RPCX_METHOD_TO_COMPLETION. */
RPCX_MUST_USE rpcx_error *rpcx_server_add_method(const rpcx_server *server, const char *service, const char *method,
    const rpcx_handler *handler, uint32_t flags);

/** As rpcx_server_add_method(), but requests go into a queue: RPCX_EVENT_REQUEST with `tag`. */
RPCX_MUST_USE rpcx_error *rpcx_server_add_method_queue(const rpcx_server *server, const char *service,
    const char *method, const rpcx_queue *queue, uint64_t tag, uint32_t flags);

/** Sets what takes the requests that no method takes, before the start. */
RPCX_MUST_USE rpcx_error *rpcx_server_set_fallback(const rpcx_server *server, const rpcx_handler *handler);

/** As rpcx_server_set_fallback(), but requests go into a queue: RPCX_EVENT_REQUEST with `tag`. */
RPCX_MUST_USE rpcx_error *rpcx_server_set_fallback_queue(const rpcx_server *server, const rpcx_queue *queue,
    uint64_t tag);

/** Adds another name for a method, before the start. */
RPCX_MUST_USE rpcx_error *rpcx_server_add_alias(const rpcx_server *server, const char *service, const char *method,
    const char *real_service, const char *real_method);

/** Sets what judges the token of every request, before the start. */
RPCX_MUST_USE rpcx_error *rpcx_server_set_authenticator(const rpcx_server *server,
    const rpcx_authenticator *authenticator);

/** As rpcx_server_set_authenticator(), through a queue: RPCX_EVENT_AUTH with `tag`. */
RPCX_MUST_USE rpcx_error *rpcx_server_set_authenticator_queue(const rpcx_server *server, const rpcx_queue *queue,
    uint64_t tag);

/**
 * Binds and serves. `completion` runs when every listener is open and the registries have been told, or with what went
 * wrong: RPCX_ERROR_CONFIG names the address or option. A server is started once.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_start(const rpcx_server *server, const rpcx_completion *completion);

/** As rpcx_server_start(), waiting on this thread. */
RPCX_MUST_USE rpcx_error *rpcx_server_start_wait(const rpcx_server *server);

/**
 * The address it listens on, with the real port; the others follow in the order they were added. NULL beyond the last, and
 * before it runs. Valid until the handle is freed.
 */
const char *rpcx_server_address(const rpcx_server *server, size_t index);

/** What the server has counted, as JSON. */
RPCX_MUST_USE rpcx_error *rpcx_server_stats_json(const rpcx_server *server, rpcx_string **out);

/** The same in Prometheus' text format; `name` tells several servers of a process apart. */
RPCX_MUST_USE rpcx_error *rpcx_server_metrics_text(const rpcx_server *server, const char *name, rpcx_string **out);

/**
 * The connections of its clients: writes at most `max` handles into `out`, each to be freed, and how many there are into
 * `count`.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_connections(const rpcx_server *server, rpcx_connection **out, size_t max,
    size_t *count);

/**
 * Ends it at once: connections are closed, requests under way cancelled; one that has not been started cannot be any more.
 * May be called again.
 */
void rpcx_server_close(const rpcx_server *server);

/**
 * Ends it without losing an accepted request: leaves the registries unless `keep_registered`, closes the listeners, waits
 * for the requests under way, at most `deadline_ms`. `completion` gets RPCX_ERROR_TIMEOUT when calls were cut off.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_shutdown(const rpcx_server *server, uint32_t deadline_ms, bool keep_registered,
    const rpcx_completion *completion);

/** As rpcx_server_shutdown(), waiting on this thread. */
RPCX_MUST_USE rpcx_error *rpcx_server_shutdown_wait(const rpcx_server *server, uint32_t deadline_ms,
    bool keep_registered);

/** `completion` runs when the server has ended, however that came. */
RPCX_MUST_USE rpcx_error *rpcx_server_on_close(const rpcx_server *server, const rpcx_completion *completion);

/**
 * Waits on this thread until the server has ended, however that came: what a program whose work is to serve does last.
 */
RPCX_MUST_USE rpcx_error *rpcx_server_closed_wait(const rpcx_server *server);

/**
 * Frees the handle, and closes the server; NULL is allowed. Requests that are held can still be answered, to nobody.
 */
void rpcx_server_free(rpcx_server *server);

/* ---- Handlers: what a server runs for its methods ---- */

/** The handler goes on though its caller cancels, its deadline passes or its connection ends. */
#define RPCX_METHOD_TO_COMPLETION 1

/** Takes the requests of a method. */
struct rpcx_handler {
  /** sizeof(rpcx_handler). */
  size_t struct_size;
  /**
   * Gets each request, on a thread of the library on which connections wait meanwhile: answer it here if that is quick,
   * else hand it to a thread of your own, which answers it whenever it likes. The request is the receiver's: exactly one
   * of rpcx_request_answer(), `_answer_buffer()`, `_fail()`, `_fail_with()` and `_free()` takes it back.
   */
  void (*handle)(void *user_data, rpcx_request *request);
  /** Frees `user_data`, once, after the last request; NULL: nothing to free. */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/* ---- Requests: what a handler gets and answers ---- */

/** The service path asked for; of an alias what it stands for. */
rpcx_slice rpcx_request_service(const rpcx_request *request);

/** The method asked for; of an alias what it stands for. */
rpcx_slice rpcx_request_method(const rpcx_request *request);

/** The encoded arguments, decompressed. */
rpcx_slice rpcx_request_payload(const rpcx_request *request);

/**
 * How the arguments are encoded, and the answer must be: RPCX_SERIALIZE_JSON and the others, or another codec's number up
 * to 15.
 */
uint32_t rpcx_request_serialize_type(const rpcx_request *request);

/** The request's metadata, the protocol's own keys among them; never NULL but for NULL. */
const rpcx_metadata *rpcx_request_metadata(const rpcx_request *request);

/** The caller's address: "host:port", or the path of its Unix socket, which may be empty. */
rpcx_slice rpcx_request_peer(const rpcx_request *request);

/** The subject of the caller's TLS certificate (RFC 4514); empty when it showed none. */
rpcx_slice rpcx_request_tls_subject(const rpcx_request *request);

/** Whether the caller waits for no answer. It is answered all the same, which ends it. */
bool rpcx_request_is_oneway(const rpcx_request *request);

/** Milliseconds until the caller stops waiting, 0 when it has; RPCX_NO_TIMEOUT: it gave no deadline. */
uint32_t rpcx_request_remaining_ms(const rpcx_request *request);

/** Whether the caller has cancelled, its deadline has passed, or its connection has ended. */
bool rpcx_request_is_cancelled(const rpcx_request *request);

/**
 * `completion->done` runs, on any thread, if the request is cancelled before it is answered; inside this function if it has
 * been already. The last one given counts. It may run while the request is being answered by another thread: it must know
 * the request by its `user_data`, not by this handle.
 */
RPCX_MUST_USE rpcx_error *rpcx_request_on_cancel(const rpcx_request *request, const rpcx_completion *completion);

/**
 * The parent of the calls that are made for this request: rpcx_call_options.parent. May be kept longer than the request.
 */
RPCX_MUST_USE rpcx_error *rpcx_request_context(const rpcx_request *request, rpcx_context **out);

/** The connection that it came on, to push to or to close; may be kept longer than the request. */
RPCX_MUST_USE rpcx_error *rpcx_request_connection(const rpcx_request *request, rpcx_connection **out);

/** Adds a pair to the metadata of the answer. */
RPCX_MUST_USE rpcx_error *rpcx_request_set_metadata(const rpcx_request *request, rpcx_slice key, rpcx_slice value);

/**
 * Sends a message to the caller's client, before the answer. `metadata` may be NULL. RPCX_ERROR_LIMIT when too many wait
 * for the connection, RPCX_ERROR_UNSUPPORTED when the client takes none.
 */
RPCX_MUST_USE rpcx_error *rpcx_request_push(const rpcx_request *request, const char *service, const char *method,
    const rpcx_metadata *metadata, rpcx_slice payload);

/** Answers with an encoded reply, which is copied, and takes the request over, on failure too. */
RPCX_MUST_USE rpcx_error *rpcx_request_answer(rpcx_request *request, rpcx_slice payload);

/** As rpcx_request_answer(), with a reply that is kept instead of copied. */
RPCX_MUST_USE rpcx_error *rpcx_request_answer_buffer(rpcx_request *request, const rpcx_buffer *buffer);

/**
 * Answers with the service's own error: the caller reads exactly `message`. Takes the request over, on failure too.
 */
RPCX_MUST_USE rpcx_error *rpcx_request_fail(rpcx_request *request, rpcx_slice message);

/**
 * Answers with an error, such as that of a nested call, which stays the caller's. What a handler fails with is the
 * service's own word: the other side reads its message, as RPCX_ERROR_SERVICE. Takes the request over, on failure too.
 */
RPCX_MUST_USE rpcx_error *rpcx_request_fail_with(rpcx_request *request, const rpcx_error *error);

/** Frees a request without an answer; NULL is allowed. Its caller is told that the handler panicked. */
void rpcx_request_free(rpcx_request *request);

/* ---- Connections of a server's clients ---- */

/** A number that no other connection of this process has. 0 for NULL. */
uint64_t rpcx_connection_id(const rpcx_connection *connection);

/** The client's address. */
rpcx_slice rpcx_connection_peer(const rpcx_connection *connection);

/** Whether it has not ended. */
bool rpcx_connection_is_open(const rpcx_connection *connection);

/** Sends a message to the client, as rpcx_request_push(). RPCX_ERROR_CLOSED when the connection has ended. */
RPCX_MUST_USE rpcx_error *rpcx_connection_push(const rpcx_connection *connection, const char *service,
    const char *method, const rpcx_metadata *metadata, rpcx_slice payload);

/** Ends the connection without a word. */
void rpcx_connection_close(const rpcx_connection *connection);

/** Frees the handle; NULL is allowed. The connection stays. */
void rpcx_connection_free(rpcx_connection *connection);

/* ---- Authenticators ---- */

/** Judges the token of every request before its handler runs. */
struct rpcx_authenticator {
  /** sizeof(rpcx_authenticator). */
  size_t struct_size;
  /**
   * Gets each token, on a thread of the library; must not block. It answers from any thread, within the option
   * `auth_timeout`.
   */
  void (*check)(void *user_data, rpcx_auth *auth);
  /** Frees `user_data`, once, after the last token; NULL: nothing to free. */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/** The token; empty when the request has none. It is a secret. */
rpcx_slice rpcx_auth_token(const rpcx_auth *auth);

/** The service path asked for. */
rpcx_slice rpcx_auth_service(const rpcx_auth *auth);

/** The method asked for. */
rpcx_slice rpcx_auth_method(const rpcx_auth *auth);

/** The caller's address. */
rpcx_slice rpcx_auth_peer(const rpcx_auth *auth);

/** The subject of the caller's TLS certificate (RFC 4514); empty when it showed none. */
rpcx_slice rpcx_auth_tls_subject(const rpcx_auth *auth);

/** The request's metadata; never NULL but for NULL. */
const rpcx_metadata *rpcx_auth_metadata(const rpcx_auth *auth);

/** Lets the request pass, and takes `auth` over; NULL is allowed. */
void rpcx_auth_accept(rpcx_auth *auth);

/** Refuses the request, whose caller reads `message`, and takes `auth` over, on failure too. */
RPCX_MUST_USE rpcx_error *rpcx_auth_refuse(rpcx_auth *auth, rpcx_slice message);

/** Frees it, which refuses the request; NULL is allowed. */
void rpcx_auth_free(rpcx_auth *auth);

/* ---- Interceptors: code around every call ---- */

/** Code around every call of a client, or around every handler of a server: rpcx_config_add_interceptor(). */
struct rpcx_interceptor {
  /** sizeof(rpcx_interceptor). */
  size_t struct_size;
  /**
   * Gets each call before it goes on; many at once. Must not block. The interception is the receiver's: it ends it, now
   * or later and from any thread, with rpcx_interception_pass(), `_reply()` or `_fail()`. A client's runs on the thread
   * that makes the call, inside that function, or on one of the library's.
   */
  void (*intercept)(void *user_data, rpcx_interception *call);
  /** Frees `user_data`, once, after the last call; NULL: nothing to free. */
  void (*drop_user_data)(void *user_data);
  /** Handed to both. */
  void *user_data;
};

/** The service path. */
rpcx_slice rpcx_interception_service(const rpcx_interception *call);

/** The method. */
rpcx_slice rpcx_interception_method(const rpcx_interception *call);

/** The encoded arguments. */
rpcx_slice rpcx_interception_payload(const rpcx_interception *call);

/** How arguments and reply are encoded: RPCX_SERIALIZE_JSON and the others. */
uint32_t rpcx_interception_serialize_type(const rpcx_interception *call);

/**
 * The other side: on a server the client's address, on a client the server's where it is known already, else empty.
 */
rpcx_slice rpcx_interception_peer(const rpcx_interception *call);

/** Whether nobody waits for an answer. */
bool rpcx_interception_is_oneway(const rpcx_interception *call);

/** Milliseconds until the caller stops waiting, 0 when it has; RPCX_NO_TIMEOUT: it gave no deadline. */
uint32_t rpcx_interception_remaining_ms(const rpcx_interception *call);

/** The request's metadata, to be looked at and, before the call goes on, changed. Never NULL but for NULL. */
rpcx_metadata *rpcx_interception_metadata(rpcx_interception *call);

/** Replaces the encoded arguments before the call goes on; they are copied. */
RPCX_MUST_USE rpcx_error *rpcx_interception_set_payload(rpcx_interception *call, rpcx_slice payload);

/**
 * Goes on with the call, once; `completion` gets its result, and with it rpcx_interception_reply() or
 * rpcx_interception_fail() ends the interception.
 */
RPCX_MUST_USE rpcx_error *rpcx_interception_next(rpcx_interception *call, const rpcx_completion *completion);

/** Goes on with the call and lets its result pass as it is; takes the interception over, on failure too. */
RPCX_MUST_USE rpcx_error *rpcx_interception_pass(rpcx_interception *call);

/**
 * Ends it with a reply, such as that of rpcx_interception_next() or rpcx_reply_new(); takes both over, on failure too.
 */
RPCX_MUST_USE rpcx_error *rpcx_interception_reply(rpcx_interception *call, rpcx_reply *reply);

/**
 * Ends it with an error, such as that of rpcx_interception_next() or rpcx_error_new(); takes both over, on failure too.
 */
RPCX_MUST_USE rpcx_error *rpcx_interception_fail(rpcx_interception *call, rpcx_error *error);

/** Frees it, which fails the call; NULL is allowed. */
void rpcx_interception_free(rpcx_interception *call);

/** The bytes of a string, without its NUL. NULL: none. */
static inline rpcx_slice rpcx_text(const char *text) {
  rpcx_slice slice;
  slice.data = (const uint8_t *)text;
  slice.len = text ? strlen(text) : 0;
  return slice;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RPCX_H */
