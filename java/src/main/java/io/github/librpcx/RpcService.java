// Names a service.
package io.github.librpcx;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Names the service that an interface or class is. Without it the service is called like the type. On an interface it says besides
 * that a class which implements it serves its methods and no others.
 */
@Documented
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
public @interface RpcService {
    /**
     * The service path.
     *
     * @return the name; empty: the type's own
     */
    String value() default "";
}
