//! The calling side: a struct with a handle per method, made once.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Type, Visibility};

use crate::names;
use crate::parse::{Method, Service};
use crate::spans;

/// `<Trait>Client` with its constructors and methods.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let Service { vis, ident: of, name, codecs, methods } = service;
    let client = names::client(of);
    let doc = format!("Calls a service that is a [`{of}`]. Cheap to clone, to be kept and shared.");
    let new_doc = format!("The service `{}` of a client.", name.value());
    let conditions: Vec<Vec<&Attribute>> = methods.iter().map(|method| only(method, &["cfg"])).collect();
    let fields: Vec<_> = methods.iter().map(|method| &method.ident).collect();
    let wires = methods.iter().map(|method| &method.name);
    let calls = methods.iter().map(|method| call(vis, codecs, method));
    let debug = client.to_string();
    quote! {
        #[doc = #doc]
        #[derive(Clone)]
        #[allow(dead_code)]
        #vis struct #client {
            #(#(#conditions)* #fields: ::rpcx::client::Method<#codecs>,)*
        }

        #[allow(dead_code, clippy::ptr_arg)]
        impl #client {
            #[doc = #new_doc]
            ///
            /// # Errors
            /// `closed` when the client is; what `rpcx::Client::service` says.
            #vis fn new(client: &::rpcx::Client) -> ::rpcx::Result<Self> {
                Self::with_name(client, #name)
            }

            /// The same under another service path.
            ///
            /// # Errors
            /// As [`new`](Self::new), and `config` for a name that cannot be one.
            #vis fn with_name(client: &::rpcx::Client, name: &str) -> ::rpcx::Result<Self> {
                let service = client.service(name)?.codecs::<#codecs>();
                ::rpcx::Result::Ok(Self { #(#(#conditions)* #fields: service.method(#wires)?,)* })
            }

            #(#calls)*
        }

        impl ::core::fmt::Debug for #client {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#debug).finish_non_exhaustive()
            }
        }
    }
}

/// The three functions of one method.
fn call(vis: &Visibility, codecs: &Type, method: &Method) -> TokenStream {
    let Method { ident, name, args, reply, attributes, .. } = method;
    let (with_options, handle) = (names::with_options(ident), names::handle(ident));
    let name = name.value();
    let first = (!attributes.iter().any(|attribute| attribute.path().is_ident("doc"))).then(|| {
        let doc = format!("Calls `{name}`.");
        quote!(#[doc = #doc])
    });
    let with_doc = format!("[`{ident}`](Self::{ident}) with options, and with everything that came beside the reply.");
    let handle_doc = format!("The method `{name}`, for oneway requests, batches and calls to all servers.");
    // A type that the codecs cannot handle is complained about at its method.
    let place = spans::of(ident);
    let plain = quote_spanned!(place=> self.#ident.call(args).await);
    let with = quote_spanned!(place=> self.#ident.call_with(args, options).await);
    let others = only(method, &["cfg", "deprecated"]);
    quote! {
        #first
        #(#attributes)*
        #vis async fn #ident(&self, args: &#args) -> ::rpcx::Result<#reply> {
            #plain
        }

        #[doc = #with_doc]
        #(#others)*
        #vis async fn #with_options(
            &self,
            args: &#args,
            options: &::rpcx::client::CallOptions,
        ) -> ::rpcx::Result<::rpcx::client::Response<#reply>> {
            #with
        }

        #[doc = #handle_doc]
        #(#others)*
        #vis fn #handle(&self) -> &::rpcx::client::Method<#codecs> {
            &self.#ident
        }
    }
}

fn only<'a>(method: &'a Method, names: &[&str]) -> Vec<&'a Attribute> {
    method.attributes.iter().filter(|attribute| names.iter().any(|name| attribute.path().is_ident(name))).collect()
}
