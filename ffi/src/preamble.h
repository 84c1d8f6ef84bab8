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
