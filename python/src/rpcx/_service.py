"""Services: classes and functions whose methods can be called from other processes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints, overload

from .context import Context
from .errors import ConfigError

__all__ = ["Handler", "handlers", "method", "service"]

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Handler:
    """A function with what is known of it."""

    name: str
    """The service method."""
    function: Callable[..., Any]
    argument: Any
    """The type that arguments are decoded as; None when the function takes none."""
    takes_context: bool
    takes_argument: bool
    is_async: bool
    to_completion: bool
    """Neither its caller's cancellation nor its deadline stops it."""

    @classmethod
    def of(cls, function: Callable[..., Any], name: str | None = None, *, to_completion: bool | None = None) -> Handler:
        """Looks at a function's parameters: an optional `Context`, then an optional argument."""
        said = getattr(function, "__rpcx_method__", (None, False))
        try:
            parameters = [
                parameter
                for parameter in inspect.signature(function).parameters.values()
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            ]
        except (TypeError, ValueError):
            raise ConfigError(f"{function!r} cannot be a handler: its parameters are unknown") from None
        shown = getattr(function, "__name__", type(function).__name__)
        hints = _hints(function)
        takes_context = bool(parameters) and _is_context(parameters[0], hints)
        rest = parameters[1:] if takes_context else parameters
        if sum(parameter.default is parameter.empty for parameter in rest) > 1:
            raise ConfigError(f"{shown}: a handler takes a Context and one argument, or one of them")
        argument = hints.get(rest[0].name, object) if rest else None
        return cls(
            name or said[0] or wire_name(shown),
            function,
            argument,
            takes_context,
            bool(rest),
            is_async(function),
            said[1] if to_completion is None else to_completion,
        )


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine; objects with an async ``__call__`` count too."""
    called = function if inspect.isroutine(function) else getattr(type(function), "__call__", function)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else getattr(type(function), "__call__", function)  # noqa: B004
    try:
        return get_type_hints(target)
    except Exception as error:
        shown = getattr(function, "__qualname__", function)
        raise ConfigError(f"{shown}: its annotations cannot be read: {error}") from error


def _is_context(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    hint = hints.get(parameter.name)
    return parameter.name in ("ctx", "context") if hint is None else hint is Context


def wire_name(name: str) -> str:
    """The name of a Python function as rpcx's users spell it: ``say_hello`` is ``SayHello``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) if name.strip("_") else name


@overload
def service(target: C) -> C: ...
@overload
def service(target: str | None = None) -> Callable[[C], C]: ...
def service(target: C | str | None = None) -> C | Callable[[C], C]:
    """Marks a class as a service, named like the class or as is said here.

    Its public methods, ``async def`` or plain, are the service's methods: ``mul`` is called ``Mul``. Plain ones run
    on a bounded number of threads.

    >>> @rpcx.service
    ... class Arith:
    ...     async def mul(self, args: Args) -> Reply:
    ...         return Reply(C=args.A * args.B)
    """

    def mark(cls: C) -> C:
        cls.__rpcx_service__ = target if isinstance(target, str) else cls.__name__  # type: ignore[attr-defined]
        return cls

    return mark(target) if isinstance(target, type) else mark


def method(name: str | None = None, *, to_completion: bool = False) -> Callable[[F], F]:
    """Names a method of a service; ``to_completion``: nothing stops it, not even its deadline."""

    def mark(function: F) -> F:
        function.__rpcx_method__ = (name, to_completion)  # type: ignore[attr-defined]
        return function

    return mark


def handlers(instance: object) -> Iterator[Handler]:
    """The methods of a service."""
    if isinstance(instance, type):
        raise ConfigError(f"{instance.__name__} is a class: a service is an instance of it")
    for name in dir(type(instance)):
        if name.startswith("_") or isinstance(getattr(type(instance), name), property):
            continue
        function = getattr(instance, name)
        if inspect.ismethod(function) or inspect.isfunction(function):
            yield Handler.of(function)


def name_of(instance: object) -> str:
    """A service's name: as its class was marked, else that of the class."""
    return getattr(instance, "__rpcx_service__", type(instance).__name__)
