//! The options of a call, made once and used for any number of calls.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpcx_embed::CallOptions;

use crate::convert;
use crate::error::raise;
use crate::request::Request;

/// Options of a call.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Options(CallOptions);

#[pymethods]
impl Options {
    /// Options by name, as text; metadata; the request that the call is made for.
    #[new]
    #[pyo3(signature = (pairs, metadata=None, parent=None))]
    fn new(
        pairs: Vec<(String, String)>,
        metadata: Option<&Bound<'_, PyDict>>,
        parent: Option<&Bound<'_, Request>>,
    ) -> PyResult<Options> {
        let mut options = CallOptions::new();
        for (name, value) in &pairs {
            options = options.set(name, value).map_err(raise)?;
        }
        if let Some(metadata) = metadata {
            options = options.all_metadata(convert::metadata(metadata)?);
        }
        if let Some(parent) = parent.and_then(|request| request.get().parent()) {
            options = options.parent(parent);
        }
        Ok(Options(options))
    }
}

impl Options {
    /// A copy for one call; without options those of the client.
    pub(crate) fn of(options: Option<&Bound<'_, Options>>) -> CallOptions {
        options.map_or_else(CallOptions::new, |options| options.get().0.clone())
    }
}
