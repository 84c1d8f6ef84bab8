//! Values between Python and the library.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rpcx_embed::{Bytes, Error, Metadata, Reason, Reply};

use crate::error;

/// Payloads from this size on are used where they are, smaller ones are copied.
const KEEP: usize = 64 * 1024;

/// A Python `bytes` object kept alive by a payload.
struct Kept {
    data: *const u8,
    len: usize,
    _object: Py<PyBytes>,
}

// SAFETY: a bytes object does not change and does not move, and is alive as long as it is referred to.
unsafe impl Send for Kept {}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `_object` keeps the bytes where they are for as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

/// The payload of a call or an answer.
pub(crate) fn payload(bytes: &Bound<'_, PyBytes>) -> Bytes {
    let data = bytes.as_bytes();
    if data.len() < KEEP {
        return Bytes::copy_from_slice(data);
    }
    Bytes::from_owner(Kept { data: data.as_ptr(), len: data.len(), _object: bytes.clone().unbind() })
}

/// Metadata from a dict of texts.
pub(crate) fn metadata(pairs: &Bound<'_, PyDict>) -> PyResult<Metadata> {
    let mut metadata = Metadata::new();
    for (key, value) in pairs {
        metadata.insert(key.extract::<&str>()?, value.extract::<&str>()?);
    }
    Ok(metadata)
}

/// Metadata as a dict.
pub(crate) fn dict<'py>(py: Python<'py>, metadata: &Metadata) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in metadata.iter() {
        dict.set_item(key, value)?;
    }
    Ok(dict)
}

/// A reply as `(payload, metadata, server, attempts)`.
pub(crate) fn reply<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyTuple>> {
    let payload = PyBytes::new(py, &reply.payload);
    (payload, dict(py, &reply.metadata)?, &*reply.server, reply.attempts).into_pyobject(py)
}

/// What each server answered: `(server, reply or exception)`.
pub(crate) fn replies<'py>(
    py: Python<'py>,
    answers: Vec<(Arc<str>, rpcx_embed::Result<Reply>)>,
) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let shown = |(server, answer): (Arc<str>, rpcx_embed::Result<Reply>)| {
        let answer = match answer {
            Ok(answer) => reply(py, &answer)?.into_any(),
            Err(error) => error::exception(py, &error).into_value(py).into_bound(py).into_any(),
        };
        Ok((server.to_string(), answer))
    };
    answers.into_iter().map(shown).collect()
}

/// A time from seconds.
pub(crate) fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        error::raise(Error::new(Reason::ConfigBadArgument, format!("{name}: {seconds} is no number of seconds")))
    })
}
