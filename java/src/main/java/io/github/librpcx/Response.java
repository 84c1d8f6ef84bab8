// A reply with what came beside it.
package io.github.librpcx;

import java.util.Map;

/**
 * A reply with what came beside it.
 *
 * @param value the reply
 * @param metadata the response's metadata, unmodifiable
 * @param server the server that answered, as the discovery spells it
 * @param attempts how many attempts were made, failed dials included
 * @param <T> what the reply was decoded into
 */
public record Response<T>(T value, Map<String, String> metadata, String server, int attempts) {}
