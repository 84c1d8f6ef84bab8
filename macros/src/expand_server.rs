//! The serving side: a wrapper that lists the methods of an implementation.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Ident, Type};

use crate::names;
use crate::parse::{Method, Service};
use crate::spans;

/// `<Trait>Server<T>` with `impl rpcx::server::Service`.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let Service { vis, ident: of, name, codecs, methods } = service;
    let server = names::server(of);
    let count = methods.len();
    let pushes = methods.iter().map(|method| push(of, codecs, method));
    let doc = format!(
        "Serves a [`{of}`]: hand it to `rpcx::server::ServerBuilder::service`. Its service path is `{}`.",
        name.value()
    );
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code)]
        #vis struct #server<T>(
            /// The implementation, which all calls share.
            #vis T,
        );

        impl<T: #of> ::rpcx::server::Service for #server<T> {
            const NAME: &'static str = #name;

            fn methods(self) -> ::std::vec::Vec<::rpcx::server::Method> {
                let service = ::std::sync::Arc::new(self.0);
                let mut methods = ::std::vec::Vec::with_capacity(#count);
                #(#pushes)*
                methods
            }
        }
    }
}

/// Adds one method to the list.
fn push(of: &Ident, codecs: &Type, method: &Method) -> TokenStream {
    let Method { ident, name, blocking, to_completion, args, reply, attributes } = method;
    let conditions =
        attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect::<Vec<&Attribute>>();
    // A type that the codecs cannot handle is complained about at its method.
    let place = spans::of(ident);
    let codecs = spans::moved(codecs, place);
    let made = if *blocking {
        quote_spanned! {place=>
            ::rpcx::server::Method::blocking::<#codecs, #args, #reply, _>(
                #name,
                {
                    let service = ::std::sync::Arc::clone(&service);
                    move |context: ::rpcx::Context, args: #args| <T as #of>::#ident(&*service, &context, args)
                },
            )
        }
    } else {
        quote_spanned! {place=>
            ::rpcx::server::Method::of_service::<T, #codecs, #args, #reply, _, _>(
                #name,
                ::std::sync::Arc::clone(&service),
                |service: ::rpcx::server::Shared<T>, context: ::rpcx::Context, args: #args| async move {
                    <T as #of>::#ident(&**service, &context, args).await
                },
            )
        }
    };
    let made = if *to_completion { quote!(#made.to_completion()) } else { made };
    // Its callers are told by the client; serving it still is no mistake.
    quote! {
        #(#conditions)*
        #[allow(deprecated)]
        methods.push(#made);
    }
}
