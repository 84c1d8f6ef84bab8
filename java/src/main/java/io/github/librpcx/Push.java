// A message that a server sent on its own.
package io.github.librpcx;

import java.util.Map;

/** A message that a server sent on its own. */
public final class Push {
    private final String service;
    private final String method;
    private final Map<String, String> metadata;
    private final byte[] payload;

    Push(String service, String method, Map<String, String> metadata, byte[] payload) {
        this.service = service;
        this.method = method;
        this.metadata = metadata;
        this.payload = payload;
    }

    /**
     * The service path that it names.
     *
     * @return the name
     */
    public String service() {
        return service;
    }

    /**
     * The method that it names.
     *
     * @return the name
     */
    public String method() {
        return method;
    }

    /**
     * Its metadata.
     *
     * @return an unmodifiable map
     */
    public Map<String, String> metadata() {
        return metadata;
    }

    /**
     * Its payload, as the server encoded it.
     *
     * @return the bytes, not a copy
     */
    public byte[] payload() {
        return payload;
    }

    @Override
    public String toString() {
        return "Push[" + service + "." + method + ", " + payload.length + " bytes]";
    }
}
