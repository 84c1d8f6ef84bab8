//! Discoveries and registries as clients and servers meet them: found, called, updated, lost and found again.

mod announce;
mod board;
mod keeping;
mod local;
mod scale;
mod sessions;
mod support;
#[path = "../waiting/mod.rs"]
mod waiting;
