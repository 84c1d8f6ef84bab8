/**
 * Client and server of rpcx: see {@link io.github.librpcx.Client} and {@link io.github.librpcx.Server}.
 *
 * <p>Threads: connections live on threads of the native library, which never enter the JVM. Replies and requests are handed out by
 * daemon threads of the package, one for a client, some for a server; code that runs there (what depends on a future, handlers that
 * return a stage, listeners) must not block.
 */
package io.github.librpcx;
