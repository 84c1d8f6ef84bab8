//! Where generated code claims to stand, so that the compiler complains about the line that has the mistake.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The place of a name, for code that is not the user's own.
pub(crate) fn of(ident: &Ident) -> Span {
    ident.span().resolved_at(Span::call_site())
}

/// The same tokens, as if they stood at `place`. What they mean does not change.
pub(crate) fn moved(tokens: impl ToTokens, place: Span) -> TokenStream {
    let moved_one = |mut token: TokenTree| {
        let span = place.resolved_at(token.span());
        if let TokenTree::Group(group) = &token {
            token = TokenTree::Group(Group::new(group.delimiter(), moved(group.stream(), place)));
        }
        token.set_span(span);
        token
    };
    tokens.into_token_stream().into_iter().map(moved_one).collect()
}
