//! Metadata keys, service and method names with a meaning of their own in the protocol.

/// Text of an error response.
pub const ERROR: &str = "__rpcx_error__";
/// Text of an error response of rpcx-java; beside it [`ERROR`] holds a code.
pub const JAVA_ERROR: &str = "_rpcx_error_message";
/// Text of an error response of rpcx-py.
pub const PYTHON_ERROR: &str = "rpcx_error";
/// Token for the server's authenticator. Never shown in debug output.
pub const AUTH: &str = "__AUTH";
/// Milliseconds left until the caller's deadline, decimal.
pub const SERVER_TIMEOUT: &str = "__ServerTimeout";
/// Address of the server that answered; added by the client to what its caller sees.
pub const SERVER_ADDRESS: &str = "__ServerAddress";
/// What a peer can do beyond Go's rpcx, in the first heartbeat of a connection and its answer.
pub const FEATURES: &str = "__rpcx_features";
/// Number of the error kind, in an error that the server itself made.
pub const CODE: &str = "__rpcx_code";
/// `1` in an error response: no handler was started, any retry is safe.
pub const NOT_RUN: &str = "__rpcx_not_run";

/// Service path of the connection's own messages.
pub const INTERNAL_SERVICE: &str = "_rpcx";
/// Method by which a client cancels a call; the payload is its sequence number, u64 big-endian.
pub const CANCEL_METHOD: &str = "cancel";
/// Method by which a server asks its clients to go elsewhere.
pub const DRAIN_METHOD: &str = "drain";

/// Whether a key belongs to the protocol: it begins with two underscores. Such keys are never handed on to nested calls.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_begin_with_two_underscores() {
        for key in [ERROR, AUTH, SERVER_TIMEOUT, SERVER_ADDRESS, FEATURES, CODE, NOT_RUN, "__"] {
            assert!(is_reserved(key), "{key}");
        }
        for key in [JAVA_ERROR, PYTHON_ERROR, "_", "", "traceparent", "a__b"] {
            assert!(!is_reserved(key), "{key}");
        }
    }
}
