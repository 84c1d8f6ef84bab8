//! The machinery behind the option tables: one macro, and what its expansion calls.

use super::allowed::Allowed;
use super::suggest::nearest;
use super::value::OptionValue;
use crate::error::{Error, Reason, Result};
use std::fmt;

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Of a client, and the default of its calls.
    Client,
    /// Of one call.
    Call,
    /// Of a server.
    Server,
    /// Of a discovery that asks a registry.
    Discovery,
    /// Of a registry that keeps servers announced.
    Registry,
}

impl Scope {
    /// The name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Call => "call",
            Self::Server => "server",
            Self::Discovery => "discovery",
            Self::Registry => "registry",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Takes {
    /// At once: the next call or connection uses it.
    Live,
    /// Only when the client or server is made.
    Start,
}

impl Takes {
    /// The name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Start => "start",
        }
    }
}

/// One option as documents and tools show it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OptionRow {
    /// The name, dotted for a group: `tls.ca`.
    pub name: &'static str,
    /// The name of its type: `duration`, `size`, `integer`, `number`, `boolean`, `choice`, `text`, `path`, `list`,
    /// `secret`.
    pub type_name: &'static str,
    /// The values it may have, or empty for every value of the type.
    pub range: String,
    /// The default's text; empty when it is unset.
    pub default: String,
    /// Whose option it is.
    pub scope: Scope,
    /// When a new value takes effect.
    pub takes: Takes,
    /// What it does.
    pub doc: String,
}

/// Declares the options of a scope: the struct, those of its groups, and all that goes by name.
macro_rules! options {
    (
        $(#[$meta:meta])*
        $Options:ident in $scope:ident {
            $( $(#[doc = $doc:literal])+ $name:ident: $Type:ty = $default:expr, $allowed:expr, $takes:ident; )*
        }
        $(
            $(#[$group_meta:meta])*
            $group:ident: $Group:ident {
                $(
                    $(#[doc = $gdoc:literal])+
                    $gname:ident: $GType:ty = $gdefault:expr, $gallowed:expr, $gtakes:ident;
                )*
            }
        )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Options {
            $(
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!("Default: `", stringify!($default), "`.")]
                pub $name: $Type,
            )*
            $( $(#[$group_meta])* pub $group: $Group, )*
        }

        $(
            $(#[$group_meta])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Group {
                $(
                    $(#[doc = $gdoc])+
                    #[doc = ""]
                    #[doc = concat!("Default: `", stringify!($gdefault), "`.")]
                    pub $gname: $GType,
                )*
            }

            impl Default for $Group {
                fn default() -> Self {
                    Self { $( $gname: $gdefault, )* }
                }
            }
        )*

        impl Default for $Options {
            fn default() -> Self {
                Self { $( $name: $default, )* $( $group: $Group::default(), )* }
            }
        }

        impl $Options {
            const NAMES: &'static [&'static str] = &[
                $( stringify!($name), )*
                $( $( concat!(stringify!($group), ".", stringify!($gname)), )* )*
            ];

            /// The table: every option with type, range, default and meaning, in the order of the documentation.
            pub fn rows() -> Vec<$crate::config::OptionRow> {
                let default = Self::default();
                vec![
                    $( $crate::config::table::row(
                        stringify!($name), &default.$name, $allowed, $crate::config::Scope::$scope,
                        $crate::config::Takes::$takes, concat!($( $doc ),+),
                    ), )*
                    $( $( $crate::config::table::row(
                        concat!(stringify!($group), ".", stringify!($gname)), &default.$group.$gname, $gallowed,
                        $crate::config::Scope::$scope, $crate::config::Takes::$gtakes, concat!($( $gdoc ),+),
                    ), )* )*
                ]
            }

            /// Sets the option of this name from text such as `500ms`, `64MiB`, `failover`, `a,b` or `true`.
            ///
            /// Empty text unsets an option that need not be set.
            ///
            /// # Errors
            ///
            /// `config.unknown_option` with the nearest name, or `config.bad_value` with what is allowed; nothing is
            /// changed then.
            pub fn set(&mut self, name: &str, text: &str) -> $crate::error::Result<()> {
                use $crate::config::table::read;
                $( if name == stringify!($name) {
                    self.$name = read(name, text, &$allowed)?;
                    return Ok(());
                } )*
                $( $( if name == concat!(stringify!($group), ".", stringify!($gname)) {
                    self.$group.$gname = read(name, text, &$gallowed)?;
                    return Ok(());
                } )* )*
                Err($crate::config::table::unknown(name, Self::NAMES))
            }

            /// The text of the option's present value: `***` for a secret, empty when unset, `None` for an unknown
            /// name.
            pub fn get(&self, name: &str) -> Option<String> {
                self.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
            }

            /// Every option's name and present value, in the order of the documentation.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, $crate::config::Value)> + use<> {
                use $crate::config::value::OptionValue;
                let values = [
                    $( self.$name.value(), )*
                    $( $( self.$group.$gname.value(), )* )*
                ];
                Self::NAMES.iter().copied().zip(values)
            }

            /// Checks every value, and whether they fit together.
            ///
            /// Builders call it; it is for fields that were set in code, past [`set`](Self::set).
            ///
            /// # Errors
            ///
            /// `config.bad_value`, naming the first option that is wrong and what is allowed.
            pub fn validate(&self) -> $crate::error::Result<()> {
                use $crate::config::table::check;
                $( check(stringify!($name), &self.$name, &$allowed)?; )*
                $( $(
                    check(concat!(stringify!($group), ".", stringify!($gname)), &self.$group.$gname, &$gallowed)?;
                )* )*
                self.check_combinations()
            }
        }

        impl serde::Serialize for $Options {
            /// A flat map of names, with durations and sizes as text; what is unset or secret is left out.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                $crate::config::text::serialize(self.iter(), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Options {
            /// A map of names to text, numbers, booleans or lists; a group may be a map of its own. What is left out
            /// keeps its default; an unknown name and a value out of range are errors.
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let mut options = Self::default();
                $crate::config::text::deserialize(deserializer, &mut |name, text| options.set(name, text))?;
                Ok(options)
            }
        }
    };
}

pub(crate) fn row<T: OptionValue>(
    name: &'static str,
    default: &T,
    allowed: Allowed<T>,
    scope: Scope,
    takes: Takes,
    doc: &'static str,
) -> OptionRow {
    OptionRow {
        name,
        type_name: T::TYPE,
        range: allowed.text,
        default: default.value().to_string(),
        scope,
        takes,
        doc: doc.trim().to_owned(),
    }
}

pub(crate) fn read<T: OptionValue>(name: &str, text: &str, allowed: &Allowed<T>) -> Result<T> {
    let value = T::parse(text).map_err(|expected| bad_value::<T>(name, text, &expected))?;
    check(name, &value, allowed)?;
    Ok(value)
}

pub(crate) fn check<T: OptionValue>(name: &str, value: &T, allowed: &Allowed<T>) -> Result<()> {
    if (allowed.test)(value) {
        return Ok(());
    }
    Err(bad_value::<T>(name, &value.value().to_string(), &format!("allowed: {}", allowed.text)))
}

fn bad_value<T: OptionValue>(name: &str, text: &str, expected: &str) -> Error {
    let shown = if T::TYPE == "secret" { "***" } else { text };
    Error::new(Reason::ConfigBadValue, format!("option `{name}`: bad value `{shown}`: {expected}"))
}

/// The error of options that do not fit together.
pub(crate) fn conflict(text: &'static str) -> Error {
    Error::new(Reason::ConfigBadValue, text)
}

pub(crate) fn unknown(name: &str, names: &'static [&'static str]) -> Error {
    let text = match nearest(name, names.iter().copied()) {
        Some(near) => format!("unknown option `{name}`: did you mean `{near}`?"),
        None => format!("unknown option `{name}`"),
    };
    Error::new(Reason::ConfigUnknownOption, text)
}
