// A token to be judged.
package io.github.librpcx;

import java.util.Map;
import java.util.Optional;

/**
 * The token of a request, to be judged.
 *
 * @param token the token, empty when there is none
 * @param service the service path asked for
 * @param method the method asked for
 * @param peer the caller's address
 * @param tlsSubject the subject of the caller's TLS certificate
 * @param metadata the request's metadata, unmodifiable
 */
public record AuthRequest(
        String token, String service, String method, String peer, Optional<String> tlsSubject, Map<String, String> metadata) {
    /** The token is a secret. */
    @Override
    public String toString() {
        return "AuthRequest[" + service + "." + method + " from " + peer + "]";
    }
}
