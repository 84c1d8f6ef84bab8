// A call as interceptors see it.
package io.github.librpcx;

import java.lang.reflect.Type;

/**
 * A call that a client is about to make, once, before any retry.
 *
 * @param service the service path
 * @param method the method
 * @param argument what will be encoded
 * @param replyType what the reply will be decoded into
 * @param options metadata, timeout and whatever else was given
 */
public record ClientCall(String service, String method, Object argument, Type replyType, CallOptions options) {
    /**
     * The same call with another argument.
     *
     * @param other what to encode
     * @return a call
     */
    public ClientCall withArgument(Object other) {
        return new ClientCall(service, method, other, replyType, options);
    }

    /**
     * The same call with other options.
     *
     * @param other the options
     * @return a call
     */
    public ClientCall withOptions(CallOptions other) {
        return new ClientCall(service, method, argument, replyType, other);
    }

    /**
     * The same call with one more pair of metadata.
     *
     * @param key its key
     * @param value its value
     * @return a call
     */
    public ClientCall withMetadata(String key, String value) {
        return withOptions(options.toBuilder().metadata(key, value).build());
    }
}
