// A type with its parameters.
package io.github.librpcx;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;

/**
 * A type with its parameters, which a {@link Class} cannot name: {@code new TypeRef<List<Item>>() {}}.
 *
 * @param <T> the type
 */
public abstract class TypeRef<T> {
    private final Type type;

    /** The type that the subclass names. */
    protected TypeRef() {
        if (!(getClass().getGenericSuperclass() instanceof ParameterizedType named)) {
            throw Failures.argument("TypeRef needs its type: new TypeRef<List<Item>>() {}");
        }
        type = named.getActualTypeArguments()[0];
    }

    /**
     * The type.
     *
     * @return the type with its parameters
     */
    public final Type type() {
        return type;
    }
}
