//! Errors on their way to JavaScript, and those of handlers on their way back.

use napi::Error as JsError;
use rpcx_embed::{Error, Reason};

/// What a function that JavaScript calls returns: its error has the reason's name as `code`.
pub(crate) type Result<T> = std::result::Result<T, JsError<String>>;

/// An error of the library; the package's JavaScript makes an `RpcError` of it.
pub(crate) fn thrown(error: Error) -> JsError<String> {
    JsError::new(error.reason().as_str().to_owned(), error.message())
}

/// Something that the handle no longer has.
pub(crate) fn closed(what: &str) -> JsError<String> {
    thrown(Error::new(Reason::ClosedLocal, format!("the {what} is closed")))
}
