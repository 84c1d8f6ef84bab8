//! The trait itself: its `async fn`s promise futures that may move between threads.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote};

/// The trait with `async fn` as `fn … -> impl Future + Send`, which implementations may still write as `async fn`.
pub(crate) fn expand(mut item: ItemTrait) -> TokenStream {
    for bound in [parse_quote!(::core::marker::Send), parse_quote!(::core::marker::Sync), parse_quote!('static)] {
        item.supertraits.push(bound);
    }
    item.colon_token.get_or_insert_with(Default::default);
    for member in &mut item.items {
        if let TraitItem::Fn(method) = member {
            desugar(method);
        }
    }
    item.into_token_stream()
}

fn desugar(method: &mut TraitItemFn) {
    if method.sig.asyncness.take().is_none() {
        return;
    }
    let output = match &method.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    method.sig.output = parse_quote!(-> impl ::core::future::Future<Output = #output> + ::core::marker::Send);
    if let Some(body) = &method.default {
        method.default = Some(parse_quote!({ async move #body }));
        // What it asks for is what cannot be said here: the future's `Send`.
        method.attrs.push(parse_quote!(#[allow(clippy::manual_async_fn)]));
    }
}
