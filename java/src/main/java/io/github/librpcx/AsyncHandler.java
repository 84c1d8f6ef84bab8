// A method that is a function with a future.
package io.github.librpcx;

import java.util.concurrent.CompletionStage;

/**
 * Answers the requests of a method on a thread of the server that must not be blocked: what takes time goes on elsewhere and completes
 * the stage.
 *
 * @param <A> the argument
 * @param <R> the reply
 */
@FunctionalInterface
public interface AsyncHandler<A, R> {
    /**
     * Answers a request. The stage has to end some time, also when the caller has given up ({@link Context#onCancel} tells it):
     * until then the request stays in memory.
     *
     * @param context the request
     * @param argument its argument
     * @return the reply, now or later
     * @throws Exception to answer with an error, as a failed stage does
     */
    CompletionStage<R> handle(Context context, A argument) throws Exception;
}
