// A method that is a function.
package io.github.librpcx;

/**
 * Answers the requests of a method on a thread of the server's executor: it may block.
 *
 * @param <A> the argument
 * @param <R> the reply
 */
@FunctionalInterface
public interface Handler<A, R> {
    /**
     * Answers a request.
     *
     * @param context the request
     * @param argument its argument
     * @return the reply
     * @throws Exception to answer with an error: the words of {@link RpcException#service} reach the caller as they are
     */
    R handle(Context context, A argument) throws Exception;
}
