//! The trait as it was written, checked and taken apart.

use std::collections::{HashMap, HashSet};

use proc_macro2::Ident;
use syn::{
    Attribute, Error, FnArg, GenericArgument, ItemTrait, LitStr, PathArguments, Receiver, Result, ReturnType,
    Signature, TraitItem, TraitItemFn, Type, Visibility,
};

use crate::names;
use crate::options::{MethodOptions, ServiceOptions};

/// A service with everything that both sides need.
pub(crate) struct Service {
    pub(crate) vis: Visibility,
    /// The trait's name.
    pub(crate) ident: Ident,
    /// The service path.
    pub(crate) name: LitStr,
    pub(crate) codecs: Type,
    /// The methods on the wire.
    pub(crate) methods: Vec<Method>,
}

/// One method on the wire.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// The service method.
    pub(crate) name: LitStr,
    pub(crate) blocking: bool,
    pub(crate) to_completion: bool,
    pub(crate) args: Type,
    pub(crate) reply: Type,
    /// Those that hold for the generated items too: documentation, `cfg`, `deprecated`.
    pub(crate) attributes: Vec<Attribute>,
}

impl Service {
    /// Checks the trait and takes the attributes that are ours out of it. All mistakes are told at once.
    pub(crate) fn new(options: ServiceOptions, item: &mut ItemTrait) -> Result<Service> {
        let mut mistakes = Mistakes(None);
        mistakes.take(check_trait(item));
        let mut methods = Vec::new();
        for member in &mut item.items {
            let method = match member {
                TraitItem::Fn(method) => read_method(method),
                other => Err(Error::new_spanned(&*other, "a service has methods and nothing else")),
            };
            methods.extend(mistakes.take(method).flatten());
        }
        mistakes.take(check_names(&methods));
        if methods.is_empty() && mistakes.0.is_none() {
            mistakes.take::<()>(Err(Error::new(item.ident.span(), "the service has no method that can be called")));
        }
        match mistakes.0 {
            Some(mistakes) => Err(mistakes),
            None => Ok(Service {
                vis: item.vis.clone(),
                ident: item.ident.clone(),
                name: options.name(&item.ident),
                codecs: options.codecs(),
                methods,
            }),
        }
    }
}

/// Everything that was wrong so far.
struct Mistakes(Option<Error>);

impl Mistakes {
    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(all) => all.combine(error),
                    none => *none = Some(error),
                }
                None
            }
        }
    }
}

fn check_trait(item: &ItemTrait) -> Result<()> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a service has no generic parameters: its callers cannot name them",
        ));
    }
    if let Some(token) = &item.unsafety {
        return Err(Error::new_spanned(token, "a service trait is not unsafe"));
    }
    Ok(())
}

/// One method; `None` when it is not on the wire.
fn read_method(method: &mut TraitItemFn) -> Result<Option<Method>> {
    let options = MethodOptions::take(&mut method.attrs)?;
    if options.skip.is_some() {
        return Ok(None);
    }
    let signature = &method.sig;
    check_kind(signature, &options)?;
    let args = arguments(signature)?.clone();
    let reply = reply(signature)?.clone();
    let attributes = method.attrs.iter().filter(|attribute| holds_everywhere(attribute)).cloned().collect();
    let (blocking, to_completion) = (options.blocking.is_some(), options.to_completion.is_some());
    let name = options.name(&signature.ident)?;
    Ok(Some(Method { ident: signature.ident.clone(), name, blocking, to_completion, args, reply, attributes }))
}

fn holds_everywhere(attribute: &Attribute) -> bool {
    ["doc", "cfg", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}

/// Async or blocking, and nothing that a remote caller could not give.
fn check_kind(signature: &Signature, options: &MethodOptions) -> Result<()> {
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        return Err(Error::new_spanned(
            generics,
            "a method that is called over the network has no generic parameters (a helper that is not: `#[rpc(skip)]`)",
        ));
    }
    if let Some(clause) = &generics.where_clause {
        return Err(Error::new_spanned(clause, "a method that is called over the network has no `where` clause"));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new_spanned(token, "a method that is called over the network is not unsafe"));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(abi, "a method that is called over the network has no ABI of its own"));
    }
    match (&signature.asyncness, options.blocking) {
        (Some(token), Some(_)) => Err(Error::new_spanned(
            token,
            "an async method does not run on the worker threads: write `fn`, or leave `blocking` out",
        )),
        (None, None) => Err(Error::new_spanned(
            signature.fn_token,
            "write `async fn`; a plain `fn`, which may block, needs `#[rpc(blocking)]` and runs on a worker thread",
        )),
        _ => Ok(()),
    }
}

/// The type of the arguments, the one value after `&self` and the context.
fn arguments(signature: &Signature) -> Result<&Type> {
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(Receiver { reference: Some(_), mutability: None, .. })) => {}
        Some(other) => {
            return Err(Error::new_spanned(
                other,
                "a service is shared by all its calls: the first parameter is `&self`",
            ));
        }
        None => return Err(Error::new(signature.paren_token.span.join(), "the first parameter is `&self`")),
    }
    match inputs.next() {
        Some(FnArg::Typed(context)) if is_context(&context.ty) => {}
        Some(other) => return Err(Error::new_spanned(other, "the parameter after `&self` is `ctx: &rpcx::Context`")),
        None => {
            return Err(Error::new(
                signature.paren_token.span.join(),
                "`ctx: &rpcx::Context` and the arguments are missing after `&self`",
            ));
        }
    }
    let args = match inputs.next() {
        Some(FnArg::Typed(args)) => &*args.ty,
        _ => {
            return Err(Error::new(
                signature.paren_token.span.join(),
                "the arguments are missing after `ctx`; a method without any takes `_: ()`",
            ));
        }
    };
    if let Some(more) = inputs.next() {
        return Err(Error::new_spanned(more, "a method takes one value: put several into a struct or a tuple"));
    }
    match args {
        Type::Reference(_) => Err(Error::new_spanned(args, "arguments are owned: `String` instead of `&str`, say")),
        Type::ImplTrait(_) => Err(Error::new_spanned(args, "arguments are of one type that both sides know")),
        _ => Ok(args),
    }
}

fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    reference.mutability.is_none() && path.path.segments.last().is_some_and(|last| last.ident == "Context")
}

/// `R` of `rpcx::Result<R>`.
fn reply(signature: &Signature) -> Result<&Type> {
    const WANTED: &str = "a method returns `rpcx::Result<Reply>`, because every call can fail";
    let ReturnType::Type(_, output) = &signature.output else {
        return Err(Error::new(signature.ident.span(), WANTED));
    };
    let wrong = || Error::new_spanned(output, WANTED);
    let Type::Path(path) = &**output else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|last| last.ident == "Result").ok_or_else(wrong)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Err(wrong()) };
    let mut arguments = arguments.args.iter();
    let Some(GenericArgument::Type(reply)) = arguments.next() else { return Err(wrong()) };
    if let Some(error) = arguments.next()
        && !is_error(error)
    {
        let text = "the error of a method is `rpcx::Error`; `rpcx::Error::from(text)` makes one";
        return Err(Error::new_spanned(error, text));
    }
    Ok(reply)
}

fn is_error(argument: &GenericArgument) -> bool {
    let GenericArgument::Type(Type::Path(path)) = argument else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Error")
}

/// No two methods answer to one name, on the wire or on the client.
fn check_names(methods: &[Method]) -> Result<()> {
    let mut mistakes = Mistakes(None);
    let mut wire = HashMap::new();
    let mut of_client = HashSet::from(["new".to_owned(), "with_name".to_owned()]);
    for method in methods {
        if let Some(other) = wire.insert(method.name.value(), &method.ident) {
            let text = format!("`{other}` has the name `{}` on the wire already", method.name.value());
            mistakes.take::<()>(Err(Error::new(method.name.span(), text)));
        }
        for ident in [method.ident.clone(), names::with_options(&method.ident), names::handle(&method.ident)] {
            if !of_client.insert(ident.to_string()) {
                let text = format!(
                    "the client has a function `{ident}` already: give the method another Rust name, and `#[rpc(name = \"{}\")]`",
                    method.name.value()
                );
                mistakes.take::<()>(Err(Error::new(method.ident.span(), text)));
            }
        }
    }
    mistakes.0.map_or(Ok(()), Err)
}
