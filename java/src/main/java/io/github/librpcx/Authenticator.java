// Judges tokens.
package io.github.librpcx;

import java.util.concurrent.CompletionStage;

/** Judges the token of every request, before its handler runs. */
@FunctionalInterface
public interface Authenticator {
    /**
     * Judges a token, on a thread of the server that must not be blocked.
     *
     * @param request the token and what it is for
     * @return completed when the request may pass; failed to refuse it: an {@link RpcException}'s text goes to the caller, others are
     *     only logged. The option {@code auth_timeout} is the time for it
     */
    CompletionStage<?> authenticate(AuthRequest request);
}
