// Code around the calls of a client.
package io.github.librpcx;

import java.util.concurrent.CompletionStage;

/**
 * Runs around every call of a client: on the calling thread, once for each call, outside of retries. It may change the call, answer
 * by itself, look at the result, or call {@code next} again.
 *
 * <pre>{@code
 * Client.builder("tcp@127.0.0.1:8972").interceptor((call, next) -> next.proceed(call.withMetadata("tenant", "blue")))
 * }</pre>
 */
@FunctionalInterface
public interface ClientInterceptor {
    /**
     * Handles a call.
     *
     * @param call what is to be called
     * @param next the interceptors after this one, then the call itself
     * @return the result; of {@code inform} the value is a list of {@link ServerReply}, of calls without an answer it is null
     */
    CompletionStage<? extends Response<?>> intercept(ClientCall call, Next next);

    /** What comes after an interceptor. */
    @FunctionalInterface
    interface Next {
        /**
         * Goes on with a call.
         *
         * @param call the call, or a changed one
         * @return its result; ending the future of the whole call gives this one up as well
         */
        CompletionStage<? extends Response<?>> proceed(ClientCall call);
    }
}
