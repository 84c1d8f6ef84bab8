//! The fields of a command, taken one by one; what is left over is refused by name.

use super::misuse;
use rpcx::Result;
use serde_json::{Map, Value};

/// The fields not yet taken.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(fields: Map<String, Value>) -> Fields {
        Fields(fields)
    }

    /// Any value; null is as good as none only where a method below says so.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Text that must be there.
    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        self.optional_text(name)?.ok_or_else(|| misuse(format!("{name} is missing")))
    }

    /// Text, or nothing or null.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(misuse(format!("{name}: {other} is no text"))),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.map(Some).ok_or_else(|| misuse(format!("{name}: {value} is no whole number from 0")))
    }

    /// True or false; `unset` when there is neither.
    pub(super) fn flag(&mut self, name: &str, unset: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(unset),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(misuse(format!("{name}: {other} is neither true nor false"))),
        }
    }

    /// An object; nothing and null are an empty one.
    pub(super) fn object(&mut self, name: &str) -> Result<Map<String, Value>> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(other) => Err(misuse(format!("{name}: {other} is no object"))),
        }
    }

    /// Refuses a field that nobody took.
    pub(super) fn done(&self) -> Result<()> {
        match self.0.keys().next() {
            Some(name) => Err(misuse(format!("unknown field {name:?}"))),
            None => Ok(()),
        }
    }
}
