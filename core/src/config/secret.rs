//! Text that is never shown.

use super::value::{OptionValue, Value};
use std::fmt;
use std::sync::Arc;

/// A token or password: `Debug` and `Display` print `***`, and serde leaves it out.
///
/// ```
/// let token = rpcx::config::Secret::from("s3cret");
/// assert_eq!(format!("{token:?} {token}"), "*** ***");
/// assert_eq!(token.expose(), "s3cret");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl OptionValue for Secret {
    const TYPE: &'static str = "secret";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn value(&self) -> Value {
        Value::Secret
    }
}
