// The methods of an object that is a service.
package io.github.librpcx;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/** Finds the methods of a service by reflection, once, when the server is made. */
final class ServiceMethods {
    private ServiceMethods() {}

    static List<MethodEntry> of(String service, Object object) {
        List<MethodEntry> entries = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Method method : methods(object.getClass())) {
            String name = Names.method(method);
            if (!names.add(name)) {
                throw Failures.argument("service " + service + " has two methods " + name + ": name one of them by @RpcMethod");
            }
            entries.add(entry(service, name, method, object));
        }
        if (entries.isEmpty()) {
            throw Failures.argument(object.getClass().getName() + " has no method to serve: methods must be public");
        }
        return entries;
    }

    /** Those that are annotated, else those of its service interfaces, else all public ones of its own. */
    private static List<Method> methods(Class<?> type) {
        List<Method> annotated = new ArrayList<>();
        List<Method> faces = new ArrayList<>();
        List<Method> all = new ArrayList<>();
        for (Method method : type.getMethods()) {
            if (method.getDeclaringClass() == Object.class || method.isBridge() || Modifier.isStatic(method.getModifiers())) {
                continue;
            }
            all.add(method);
            if (method.isAnnotationPresent(RpcMethod.class)) {
                annotated.add(method);
            }
        }
        collect(type, faces);
        if (!faces.isEmpty()) {
            return faces;
        }
        return annotated.isEmpty() ? all : annotated;
    }

    private static void collect(Class<?> type, List<Method> found) {
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            for (Class<?> face : one.getInterfaces()) {
                if (face.isAnnotationPresent(RpcService.class)) {
                    found.addAll(List.of(face.getMethods()));
                }
            }
        }
    }

    private static MethodEntry entry(String service, String name, Method method, Object object) {
        int context = -1;
        int argument = -1;
        Class<?>[] parameters = method.getParameterTypes();
        for (int i = 0; i < parameters.length; i++) {
            if (parameters[i] == Context.class && context < 0) {
                context = i;
            } else if (argument < 0 && parameters[i] != CallOptions.class) {
                argument = i;
            } else if (parameters[i] != CallOptions.class) {
                throw Failures.argument(method + " has more than one argument beside its Context");
            }
        }
        boolean async = CompletionStage.class.isAssignableFrom(method.getReturnType());
        Type type = argument < 0 ? Void.class : method.getGenericParameterTypes()[argument];
        return new MethodEntry(service, name, type, async, body(method, object, context, argument));
    }

    /** The method as a function of context and argument; other parameters get null. */
    private static MethodEntry.Body body(Method method, Object object, int context, int argument) {
        MethodHandle handle;
        try {
            method.setAccessible(true);
            handle = MethodHandles.lookup().unreflect(method).bindTo(object);
        } catch (IllegalAccessException | RuntimeException e) {
            throw RpcException.of("config.bad_argument", "cannot call " + method + ": " + e, Delivery.NOT_SENT, e);
        }
        handle = handle.asType(handle.type().generic().changeReturnType(Object.class));
        if (handle.type().parameterCount() == 2 && context == 0 && argument == 1) {
            MethodHandle both = handle;
            return (ctx, arg) -> (Object) both.invokeExact((Object) ctx, arg);
        }
        if (handle.type().parameterCount() == 1 && argument == 0) {
            MethodHandle one = handle.asType(MethodType.genericMethodType(1));
            return (ctx, arg) -> (Object) one.invokeExact(arg);
        }
        int count = handle.type().parameterCount();
        MethodHandle any = handle.asSpreader(Object[].class, count);
        return (ctx, arg) -> {
            Object[] values = new Object[count];
            if (context >= 0) {
                values[context] = ctx;
            }
            if (argument >= 0) {
                values[argument] = arg;
            }
            return (Object) any.invokeExact(values);
        };
    }
}
