// A method that a server serves.
package io.github.librpcx;

import java.lang.reflect.Type;

/**
 * A method that a server serves.
 *
 * @param argument what requests are decoded into; Void for none
 * @param async whether it runs on the poller and returns a stage
 */
record MethodEntry(String service, String method, Type argument, boolean async, Body body) {
    /** What runs. */
    interface Body {
        Object run(Context context, Object argument) throws Throwable;
    }
}
