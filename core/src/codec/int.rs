//! Go's `int` and `uint`, which MessagePack writes in their shortest form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The newtype name by which the MessagePack serializer knows that a width is not to be kept.
pub(super) const SHORTEST: &str = "$rpcx::codec::shortest";

macro_rules! go_int {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(SHORTEST, &self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$inner>::deserialize(deserializer).map(Self)
            }
        }
    };
}

go_int! {
    /// A Go `int`: MessagePack writes it in the shortest form that holds the value, whereas an `i64` always takes nine bytes.
    ///
    /// This matters only to a Go peer that decodes into an `interface{}`. In JSON it is a plain number.
    Int(i64)
}
go_int! {
    /// A Go `uint`: as [`Int`], without a sign.
    Uint(u64)
}
