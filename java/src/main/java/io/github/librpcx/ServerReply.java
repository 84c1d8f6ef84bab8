// What one of many servers said.
package io.github.librpcx;

/**
 * What one server answered to {@code inform}.
 *
 * @param server its address, as the discovery spells it
 * @param response the answer, or null when it failed
 * @param error the failure, or null
 * @param <T> what the reply was decoded into
 */
public record ServerReply<T>(String server, Response<T> response, RpcException error) {}
