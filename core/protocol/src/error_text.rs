//! Error texts that cross the wire. Go clients compare some of them, so they are exactly Go's.

/// Answer to a request above a server's rate limit.
pub const RATE_LIMIT: &str = "request reached rate limit";
/// Answer when a stream or file transfer is turned away.
pub const STREAM_REFUSED: &str = "server refused the connection";
/// Stands in for the text of an error response that has none.
pub const NO_TEXT: &str = "the server answered with an error without a text";

/// Answer to a request for a service that the server does not have.
///
/// ```
/// assert_eq!(rpcx_protocol::error_text::service_not_found("Arith"), "rpcx: can't find service Arith");
/// ```
pub fn service_not_found(service: &str) -> String {
    format!("rpcx: can't find service {service}")
}

/// Answer to a request for a method that the service does not have.
pub fn method_not_found(method: &str) -> String {
    format!("rpcx: can't find method {method}")
}

/// Answer to a request with a serialize type that no codec is registered for.
pub fn codec_not_found(serialize: crate::SerializeType) -> String {
    format!("can not find codec for {}", serialize.get())
}

/// Answer to a request with a compress type that no compressor is registered for. (Go closes the connection instead.)
pub fn compressor_not_found(compress: crate::CompressType) -> String {
    format!("can not find compressor for {}", compress.get())
}

/// Answer when a handler panicked; `text` is the panic's own, left out when empty.
pub fn handler_panicked(service: &str, method: &str, text: &str) -> String {
    if text.is_empty() {
        format!("internal error in {service}.{method}")
    } else {
        format!("internal error in {service}.{method}: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_go_clients_match_on() {
        assert_eq!(method_not_found("Mul"), "rpcx: can't find method Mul");
        assert_eq!(codec_not_found(crate::SerializeType::THRIFT), "can not find codec for 4");
        assert_eq!(compressor_not_found(crate::CompressType::LZ4), "can not find compressor for 4");
        assert_eq!(handler_panicked("Arith", "Mul", "boom"), "internal error in Arith.Mul: boom");
        assert_eq!(handler_panicked("Arith", "Mul", ""), "internal error in Arith.Mul");
    }
}
