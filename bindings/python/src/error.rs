//! Errors: the library's as exceptions of `rpcx.errors`, and what a handler raised as errors of the library.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rpcx_embed::{Error, Reason};

/// The function that makes an exception: `rpcx.errors.make`.
static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception of an error.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let made =
        MAKE.get_or_try_init(py, || py.import("rpcx.errors")?.getattr("make").map(Bound::unbind)).and_then(|make| {
            make.bind(py).call1((
                error.code(),
                error.reason().as_str(),
                error.delivery().as_str(),
                error.message(),
                error.server(),
                error.attempts(),
            ))
        });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

/// As [`exception`], on a thread that may be without the interpreter.
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| exception(py, &error))
}

/// What ends a wait: an error of the call, or an exception of Python's such as `KeyboardInterrupt`.
pub(crate) enum Failure {
    Call(Error),
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Call(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> PyErr {
        match failure {
            Failure::Call(error) => raise(error),
            Failure::Python(error) => error,
        }
    }
}

/// An error by the name of its reason; an unknown name is the service's own error.
pub(crate) fn by_reason(reason: &str, message: String) -> Error {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    Error::new(known.copied().unwrap_or(Reason::ServiceError), message)
}
