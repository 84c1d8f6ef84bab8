/*
 * rpcx.hpp: librpcx for C++17, header-only on rpcx.h.
 *
 *     auto client = rpcx::Client::open("tcp@127.0.0.1:8972").value();
 *     auto mul = client.service("Arith").method("Mul").value();
 *     rpcx::Result<rpcx::Reply> reply = mul.call(payload).wait();
 *
 * What takes time is an Operation: `.wait()` blocks, `.future()` gives a future, `.then(callback)` starts it with a
 * callback, `co_await` (C++20) suspends. So with every call, with the start and the end of servers and clients.
 *
 * ERRORS. What can fail returns a Result: a value or an Error. Nothing throws but Result::value(), which throws the Error,
 * or ends the program where exceptions are off. Options remember the first mistake that was made with them, and whatever
 * takes them fails with it.
 *
 * OWNERSHIP. Every type frees what it stands for. Client, Method and Server are cheap to copy; the last copy frees. Types
 * whose names end in View, and std::string_view results, belong to the object they came from.
 *
 * THREADS. Const functions may run on any threads at once. Callbacks run on threads of the library, several at once: they
 * must return soon, and neither block (`.wait()` fails there) nor throw. Their state is destroyed exactly once, also when
 * the function that took them failed. Every object may be destroyed inside a callback.
 *
 * LIFETIMES. Closing or destroying a client ends its calls with ErrorKind::closed. After fork() every object from before
 * fails so in the child. A process may exit without closing anything.
 */
#ifndef RPCX_HPP
#define RPCX_HPP

#include "rpcx/bytes.hpp"
#include "rpcx/client.hpp"
#include "rpcx/codec.hpp"
#include "rpcx/error.hpp"
#include "rpcx/interceptor.hpp"
#include "rpcx/library.hpp"
#include "rpcx/metadata.hpp"
#include "rpcx/operation.hpp"
#include "rpcx/options.hpp"
#include "rpcx/reply.hpp"
#include "rpcx/request.hpp"
#include "rpcx/server.hpp"
#include "rpcx/typed.hpp"
#include "rpcx/workers.hpp"

#endif
