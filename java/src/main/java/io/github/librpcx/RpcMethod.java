// Names a method.
package io.github.librpcx;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Names a method of a service. Without it the method is called as in Java with its first letter in upper case, since that is how
 * Go's services look: {@code mul} is {@code Mul}. A class with annotated methods serves these only.
 */
@Documented
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
public @interface RpcMethod {
    /**
     * The method's name.
     *
     * @return the name; empty: as above
     */
    String value() default "";

    /**
     * Whether the call is not answered; the method's result is then {@code void} or a stage of {@code Void}.
     *
     * @return whether it is not
     */
    boolean oneway() default false;
}
