//! MessagePack as plain Python values, with moments to the nanosecond.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use rpcx_embed::codec::{Value, msgpack};

/// Decodes a payload. `moment` makes a moment of seconds since 1970 and nanoseconds.
#[pyfunction]
pub(crate) fn msgpack_values<'py>(
    py: Python<'py>,
    payload: &Bound<'py, PyBytes>,
    moment: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let value = msgpack::decode(payload.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
    object(py, value, moment)
}

fn object<'py>(py: Python<'py>, value: Value, moment: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Nil => Ok(py.None().into_bound(py)),
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Int(value) => value.into_bound_py_any(py),
        Value::UInt(value) => value.into_bound_py_any(py),
        Value::F32(value) => value.into_bound_py_any(py),
        Value::F64(value) => value.into_bound_py_any(py),
        Value::Str(text) => text.into_bound_py_any(py),
        Value::Bytes(bytes) => Ok(PyBytes::new(py, &bytes).into_any()),
        Value::Time(time) => moment.call1((time.seconds(), time.subsec_nanos())),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(object(py, item, moment)?)?;
            }
            Ok(list.into_any())
        }
        Value::Map(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                dict.set_item(object(py, key, moment)?, object(py, value, moment)?)?;
            }
            Ok(dict.into_any())
        }
    }
}
