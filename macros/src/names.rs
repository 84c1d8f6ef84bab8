//! Names on the wire and of generated items.

use proc_macro2::Ident;
use quote::format_ident;
use syn::ext::IdentExt;

/// The name on the wire of a Rust method: UpperCamelCase, as Go exports its methods. `say_hello` becomes `SayHello`.
pub(crate) fn on_the_wire(method: &Ident) -> String {
    method.unraw().to_string().split('_').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The struct that serves the trait.
pub(crate) fn server(service: &Ident) -> Ident {
    format_ident!("{}Server", service.unraw())
}

/// The struct that calls it.
pub(crate) fn client(service: &Ident) -> Ident {
    format_ident!("{}Client", service.unraw())
}

/// The client's method that takes call options.
pub(crate) fn with_options(method: &Ident) -> Ident {
    format_ident!("{}_with", method.unraw(), span = method.span())
}

/// The client's method that gives the handle.
pub(crate) fn handle(method: &Ident) -> Ident {
    format_ident!("{}_method", method.unraw(), span = method.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_are_upper_camel_case() {
        for (rust, wire) in [
            ("mul", "Mul"),
            ("say_hello", "SayHello"),
            ("r#type", "Type"),
            ("get_2d", "Get2d"),
            ("_private__name_", "PrivateName"),
            ("already_HTTP", "AlreadyHTTP"),
            ("_", ""),
        ] {
            let ident: Ident = if rust == "_" { format_ident!("__") } else { syn::parse_str(rust).unwrap() };
            assert_eq!(on_the_wire(&ident), wire, "{rust}");
        }
    }
}
