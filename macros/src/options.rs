//! The options of the two attributes: `#[rpcx::service(…)]` on the trait and `#[rpc(…)]` on its methods.

use proc_macro2::{Ident, Span};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemTrait, LitStr, Meta, Result, TraitItem, Type, parse_quote};

use crate::names;

/// Most codec sets in a tuple, as in `rpcx::codec`.
const MAX_CODECS: usize = 3;

/// What stands in `#[rpcx::service(…)]`.
#[derive(Default)]
pub(crate) struct ServiceOptions {
    name: Option<LitStr>,
    codecs: Option<Type>,
}

impl ServiceOptions {
    pub(crate) fn parse(attribute: proc_macro2::TokenStream) -> Result<ServiceOptions> {
        let mut options = ServiceOptions::default();
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("name") {
                set(&mut options.name, &meta, |meta| wire_name(meta, "service"))
            } else if meta.path.is_ident("codecs") {
                set(&mut options.codecs, &meta, |meta| codec_set(meta.value()?.parse()?))
            } else {
                Err(unknown(&meta, "`name = \"…\"` and `codecs = …`"))
            }
        });
        parser.parse2(attribute)?;
        Ok(options)
    }

    /// The service path.
    pub(crate) fn name(&self, item: &Ident) -> LitStr {
        use syn::ext::IdentExt;
        self.name.clone().unwrap_or_else(|| LitStr::new(&item.unraw().to_string(), item.span()))
    }

    /// The codec set of both sides.
    pub(crate) fn codecs(self) -> Type {
        self.codecs.unwrap_or_else(|| parse_quote!(::rpcx::codec::Serde))
    }
}

/// What stands in a method's `#[rpc(…)]`.
#[derive(Default)]
pub(crate) struct MethodOptions {
    name: Option<LitStr>,
    /// A plain function, for the pool of worker threads.
    pub(crate) blocking: Option<Span>,
    /// Its calls are not stopped once they have begun.
    pub(crate) to_completion: Option<Span>,
    /// Not on the wire.
    pub(crate) skip: Option<Span>,
}

impl MethodOptions {
    /// Takes the `#[rpc(…)]` out of a method's attributes.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<MethodOptions> {
        let mut options = MethodOptions::default();
        for attribute in attributes.extract_if(.., |attribute| attribute.path().is_ident("rpc")) {
            if !matches!(attribute.meta, Meta::List(_)) {
                return Err(Error::new_spanned(
                    attribute,
                    "`#[rpc]` alone says nothing; allowed are `name = \"…\"`, `blocking`, `to_completion` and `skip`",
                ));
            }
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        let served = options.name.is_some() || options.blocking.is_some() || options.to_completion.is_some();
        if let (Some(at), true) = (options.skip, served) {
            return Err(Error::new(at, "a method that is skipped is not called from outside: `skip` stands alone"));
        }
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            set(&mut self.name, meta, |meta| wire_name(meta, "method"))
        } else if meta.path.is_ident("blocking") {
            set(&mut self.blocking, meta, |meta| Ok(meta.path.span()))
        } else if meta.path.is_ident("to_completion") {
            set(&mut self.to_completion, meta, |meta| Ok(meta.path.span()))
        } else if meta.path.is_ident("skip") {
            set(&mut self.skip, meta, |meta| Ok(meta.path.span()))
        } else {
            Err(unknown(meta, "`name = \"…\"`, `blocking`, `to_completion` and `skip`"))
        }
    }

    /// The name on the wire.
    pub(crate) fn name(self, method: &Ident) -> Result<LitStr> {
        if let Some(name) = self.name {
            return Ok(name);
        }
        let name = names::on_the_wire(method);
        if name.is_empty() {
            return Err(Error::new(
                method.span(),
                "no name on the wire follows from this one: add `#[rpc(name = \"…\")]`",
            ));
        }
        Ok(LitStr::new(&name, method.span()))
    }
}

/// Takes every attribute of ours out of a trait, read or not.
pub(crate) fn forget(item: &mut ItemTrait) {
    for member in &mut item.items {
        if let TraitItem::Fn(method) = member {
            method.attrs.retain(|attribute| !attribute.path().is_ident("rpc"));
        }
    }
}

/// Sets an option that may stand only once.
fn set<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(meta.error("this option stands twice"));
    }
    *slot = Some(read(meta)?);
    Ok(())
}

fn unknown(meta: &ParseNestedMeta<'_>, allowed: &str) -> Error {
    let path = &meta.path;
    let name = path.get_ident().map_or_else(|| "this".to_owned(), |name| format!("`{name}`"));
    Error::new_spanned(path, format!("{name} is no option here; allowed are {allowed}"))
}

fn wire_name(meta: &ParseNestedMeta<'_>, of: &str) -> Result<LitStr> {
    let name: LitStr = meta.value()?.parse()?;
    if name.value().is_empty() {
        return Err(Error::new(name.span(), format!("the name of a {of} is not empty")));
    }
    Ok(name)
}

/// One codec set, or up to three in a tuple.
fn codec_set(codecs: Type) -> Result<Type> {
    match codecs {
        Type::Paren(inner) => codec_set(*inner.elem),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            Err(Error::new_spanned(tuple, "a service has at least one codec set, such as `rpcx::codec::Serde`"))
        }
        Type::Tuple(tuple) if tuple.elems.len() > MAX_CODECS => {
            Err(Error::new_spanned(tuple, format!("at most {MAX_CODECS} codec sets go together in a tuple")))
        }
        Type::Tuple(mut tuple) if tuple.elems.len() == 1 => {
            codec_set(tuple.elems.pop().expect("it has one element").into_value())
        }
        other => Ok(other),
    }
}
