// Clients that look like an interface.
package io.github.librpcx;

import io.github.librpcx.internal.Records;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Proxy;
import java.lang.reflect.Type;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Implements an interface by calls: methods that return a {@link CompletionStage} start them, the others wait. */
final class Proxies implements InvocationHandler {
    private final Service service;
    private final BlockingService blocking;
    private final Class<?> face;
    private final Map<Method, Call> calls = new HashMap<>();

    /** What a method of the interface does. */
    private record Call(String method, int argument, int options, Type reply, boolean async, boolean response, boolean oneway) {}

    private Proxies(Service service, Class<?> face) {
        this.service = service;
        this.blocking = service.blocking();
        this.face = face;
        for (Method method : face.getMethods()) {
            if (!method.isDefault() && !java.lang.reflect.Modifier.isStatic(method.getModifiers())) {
                calls.put(method, describe(method));
            }
        }
    }

    static <T> T make(Service service, Class<T> face) {
        if (!face.isInterface()) {
            throw Failures.argument(face.getName() + " is no interface");
        }
        Object proxy = Proxy.newProxyInstance(face.getClassLoader(), new Class<?>[] {face}, new Proxies(service, face));
        return face.cast(proxy);
    }

    private static Call describe(Method method) {
        int argument = -1;
        int options = -1;
        Class<?>[] parameters = method.getParameterTypes();
        for (int i = 0; i < parameters.length; i++) {
            if (parameters[i] == CallOptions.class && options < 0) {
                options = i;
            } else if (argument < 0) {
                argument = i;
            } else {
                throw Failures.argument(method + " has more than one argument beside its CallOptions");
            }
        }
        Type reply = method.getGenericReturnType();
        boolean async = CompletionStage.class.isAssignableFrom(method.getReturnType());
        if (async) {
            if (!method.getReturnType().isAssignableFrom(CompletableFuture.class)) {
                throw Failures.argument(method + " must return CompletionStage or CompletableFuture");
            }
            reply = parameter(method, reply);
        }
        boolean response = reply instanceof ParameterizedType named && named.getRawType() == Response.class;
        if (response) {
            reply = parameter(method, reply);
        }
        RpcMethod named = method.getAnnotation(RpcMethod.class);
        return new Call(Names.method(method), argument, options, reply, async, response, named != null && named.oneway());
    }

    private static Type parameter(Method method, Type type) {
        if (type instanceof ParameterizedType named) {
            return named.getActualTypeArguments()[0];
        }
        throw Failures.argument(method + " must say of what its result is");
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        Call call = calls.get(method);
        if (call == null) {
            return other(proxy, method, arguments);
        }
        CallOptions given = call.options < 0 ? null : (CallOptions) arguments[call.options];
        ClientCall made = new ClientCall(
                service.name(),
                call.method,
                call.argument < 0 ? null : arguments[call.argument],
                call.reply,
                given == null ? CallOptions.DEFAULT : given);
        if (call.oneway) {
            CompletableFuture<Void> sent = service.nothing(Records.KIND_ONEWAY, made);
            return call.async ? sent : blocking.await(sent);
        }
        if (call.response) {
            CompletableFuture<Response<Object>> response = service.response(CallKind.CALL, made);
            return call.async ? response : blocking.await(response);
        }
        return call.async ? service.value(CallKind.CALL, made) : blocking.value(made);
    }

    private Object other(Object proxy, Method method, Object[] arguments) throws Throwable {
        if (method.isDefault()) {
            return MethodHandles.privateLookupIn(face, MethodHandles.lookup())
                    .unreflectSpecial(method, face)
                    .bindTo(proxy)
                    .invokeWithArguments(arguments);
        }
        return switch (method.getName()) {
            case "equals" -> proxy == arguments[0];
            case "hashCode" -> System.identityHashCode(proxy);
            default -> face.getName() + " of " + service.name();
        };
    }
}
