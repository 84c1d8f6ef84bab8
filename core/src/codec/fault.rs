//! What went wrong inside a payload, with the path and the position where it did.

use std::fmt;

/// The error type of this crate's serializers and deserializers.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    /// `.List[3].A`; grows to the left while the error travels outwards.
    path: String,
    position: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Message(String),
    /// A struct's visitor got no such field.
    Missing(&'static str),
    /// A struct's visitor got this field twice.
    Duplicate(&'static str),
}

/// A path longer than this is cut: it must not grow with the square of the depth.
const MAX_PATH: usize = 256;
/// Characters of a name in a path.
const MAX_NAME: usize = 64;

impl Fault {
    fn from_kind(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, path: String::new(), position: None }))
    }

    #[cold]
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self::from_kind(Kind::Message(message.to_string()))
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Makes it an ordinary message, which an outer struct won't take for its own field.
    pub(super) fn flatten(mut self) -> Self {
        self.0.kind = Kind::Message(self.0.kind.to_string());
        self
    }

    /// It happened at this byte, unless a closer one is known.
    #[cfg(feature = "msgpack")]
    pub(super) fn at(mut self, position: usize) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    #[cold]
    pub(super) fn in_field(self, name: &str) -> Self {
        // A name from the payload may have any length.
        let end = name.char_indices().nth(MAX_NAME).map_or(name.len(), |(end, _)| end);
        self.within(format_args!(".{}", name[..end].escape_debug()))
    }

    #[cold]
    pub(super) fn in_element(self, index: usize) -> Self {
        self.within(format_args!("[{index}]"))
    }

    fn within(mut self, segment: fmt::Arguments<'_>) -> Self {
        if self.0.path.len() < MAX_PATH {
            self.0.path = format!("{segment}{}", self.0.path);
        }
        self
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) => f.write_str(text),
            Self::Missing(field) => write!(f, "missing field `{field}`"),
            Self::Duplicate(field) => write!(f, "duplicate field `{field}`"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, path, position } = &*self.0;
        if !path.is_empty() {
            write!(f, "`{}`: ", path.strip_prefix('.').unwrap_or(path))?;
        }
        write!(f, "{kind}")?;
        match position {
            Some(position) => write!(f, " at byte {position}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::from_kind(Kind::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::from_kind(Kind::Duplicate(field))
    }
}
