//! One pass over a payload, and why there may be a second one.
//!
//! Go leaves a field zero that a payload lacks, and lets the last of a repeated field win. A derived `Deserialize`
//! refuses both, but only it knows which fields have a default of their own (`#[serde(default)]`). So a payload is first
//! read as serde would. When a struct misses a field, the field is noted with the struct's type, and the next pass, like
//! every later message, gives it the zero value wherever it lacks. When a field comes twice, the next pass looks all keys
//! of a map up before it reads the values. The number of passes is bounded by the types, not by the payload.

use super::MAX_DEPTH;
use super::fault::{Fault, Kind};
use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

type Fields = Vec<&'static str>;

thread_local! {
    /// Per visitor type, the fields that turned out to have no default of their own.
    static NO_DEFAULT: RefCell<HashMap<&'static str, Fields, foldhash::fast::RandomState>> = RefCell::default();
}

/// What the deserializers of one pass share.
#[derive(Debug)]
pub(super) struct Pass {
    /// Keys are looked up before values are read.
    pub(super) indexed: bool,
    /// What `is_human_readable` says.
    pub(super) human_readable: bool,
    depth: Cell<usize>,
    noted: Cell<bool>,
    duplicate: Cell<bool>,
    /// The field whose zero value was just announced.
    pub(super) filling: Cell<Option<&'static str>>,
    /// Fields that must not be filled in this payload: they came under another name (`#[serde(alias)]`).
    aliased: RefCell<Vec<(&'static str, &'static str)>>,
    /// An error on its way through a foreign deserializer, which would keep nothing but its text.
    #[cfg(feature = "json")]
    pub(super) carried: RefCell<Option<Fault>>,
}

impl Pass {
    /// Runs `attempt` once, and again as often as it takes.
    pub(super) fn run<T>(human_readable: bool, mut attempt: impl FnMut(&Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut pass = Self {
            indexed: false,
            human_readable,
            depth: Cell::new(0),
            noted: Cell::new(false),
            duplicate: Cell::new(false),
            filling: Cell::new(None),
            aliased: RefCell::default(),
            #[cfg(feature = "json")]
            carried: RefCell::default(),
        };
        loop {
            match attempt(&pass) {
                Err(_) if pass.noted.replace(false) => {}
                Err(_) if pass.duplicate.get() && !pass.indexed => pass.indexed = true,
                result => return result,
            }
            pass.depth.set(0);
        }
    }

    /// Counts one level of nesting while `inside` runs.
    pub(super) fn nested<T>(&self, inside: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let depth = self.depth.get();
        if depth >= MAX_DEPTH {
            return Err(Fault::new(format_args!("more than {MAX_DEPTH} levels of nesting")));
        }
        self.depth.set(depth + 1);
        let result = inside();
        self.depth.set(depth);
        result
    }

    /// The fields that a struct with the visitor `V` gets as zero where a payload lacks them.
    pub(super) fn fill<V>(&self) -> Fields {
        NO_DEFAULT.with_borrow(|types| {
            if types.is_empty() {
                return Vec::new();
            }
            let Some(fields) = types.get(type_name::<V>()) else { return Vec::new() };
            let aliased = self.aliased.borrow();
            fields.iter().copied().filter(|f| !aliased.contains(&(type_name::<V>(), f))).collect()
        })
    }

    /// Notes what a failed struct with the visitor `V` teaches for the next pass.
    pub(super) fn settle<V, T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| {
            match *fault.kind() {
                Kind::Missing(field) => {
                    let new = NO_DEFAULT.with_borrow_mut(|types| {
                        let fields = types.entry(type_name::<V>()).or_default();
                        let new = !fields.contains(&field);
                        if new {
                            fields.push(field);
                        }
                        new
                    });
                    if new {
                        self.noted.set(true);
                    }
                }
                Kind::Duplicate(field) if self.filling.get() == Some(field) => {
                    self.aliased.borrow_mut().push((type_name::<V>(), field));
                    self.noted.set(true);
                }
                Kind::Duplicate(_) => self.duplicate.set(true),
                Kind::Message(_) => return fault,
            }
            fault.flatten()
        })
    }
}
