// Names of services and methods by those of Java.
package io.github.librpcx;

import java.lang.reflect.Method;
import java.util.Locale;

/** What a type and a method are called on the wire. */
final class Names {
    private Names() {}

    /** The name of the service that a type is. */
    static String service(Class<?> type) {
        RpcService own = type.getAnnotation(RpcService.class);
        if (own != null && !own.value().isEmpty()) {
            return own.value();
        }
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            for (Class<?> face : one.getInterfaces()) {
                if (face.isAnnotationPresent(RpcService.class)) {
                    return service(face);
                }
            }
        }
        return type.getSimpleName();
    }

    /** The name of a method. */
    static String method(Method method) {
        RpcMethod named = method.getAnnotation(RpcMethod.class);
        if (named != null && !named.value().isEmpty()) {
            return named.value();
        }
        String name = method.getName();
        return name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
    }
}
