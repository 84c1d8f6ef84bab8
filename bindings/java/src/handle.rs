//! Objects that Java holds by address.

use std::sync::Arc;

use jni::sys::jlong;
use rpcx_embed::{Error, Reason, Result};

/// Gives an object to Java, which gives it back once with [`free`].
pub(crate) fn give<T>(object: Arc<T>) -> jlong {
    Arc::into_raw(object) as jlong
}

/// The object at an address that [`give`] returned and [`free`] has not seen.
pub(crate) fn borrow<'a, T>(address: jlong) -> Result<&'a T> {
    let object = address as *const T;
    if object.is_null() {
        return Err(Error::new(Reason::InternalBug, "Java has lost an object of the native library"));
    }
    // SAFETY: Java's side holds the object that owns this address reachable until the native method returns, and its cleaner
    // frees it only after that; see `internal.Natives`. Nothing hands out other addresses.
    Ok(unsafe { &*object })
}

/// Takes an object back.
pub(crate) fn free<T>(address: jlong) {
    let object = address as *const T;
    if !object.is_null() {
        // SAFETY: a cleaner runs once, after the last use, with the address that `give` returned.
        drop(unsafe { Arc::from_raw(object) });
    }
}
