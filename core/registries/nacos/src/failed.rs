//! Errors of the gRPC library as ours. None has credentials in its text.

use rpcx::{Error, Reason};
use std::error::Error as StdError;
use tonic::{Code, Status};

/// What went wrong below says more than that something did.
pub(crate) fn cause(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

pub(crate) fn transport(error: &tonic::transport::Error) -> Error {
    Error::new(Reason::ConnectRefused, format!("nacos: {}", cause(error)))
}

pub(crate) fn status(status: &Status) -> Error {
    let reason = match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Reason::AuthRefused,
        Code::Unavailable => Reason::ConnectRefused,
        _ => Reason::ClosedRemote,
    };
    let text = if status.source().is_some() { cause(status) } else { status.message().to_owned() };
    Error::new(reason, format!("nacos: {text}"))
}
