// Code around the handlers of a server.
package io.github.librpcx;

import java.util.concurrent.CompletionStage;

/**
 * Runs around every handler, on its thread: after authentication and limits, over decoded values. It may change the argument, answer by
 * itself, or look at the result.
 */
@FunctionalInterface
public interface ServerInterceptor {
    /**
     * Handles a request.
     *
     * @param context the request
     * @param argument its argument, null when there is none
     * @param next the interceptors after this one, then the handler
     * @return the reply, now or later
     * @throws Exception to answer with an error
     */
    CompletionStage<?> intercept(Context context, Object argument, Next next) throws Exception;

    /** What comes after an interceptor. */
    @FunctionalInterface
    interface Next {
        /**
         * Goes on with a request.
         *
         * @param argument the argument, or a changed one
         * @return the handler's reply
         * @throws Exception what the handler threw
         */
        CompletionStage<?> proceed(Object argument) throws Exception;
    }
}
