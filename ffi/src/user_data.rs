//! A callback's `user_data`, dropped once by whoever holds it last.

use std::ffi::c_void;

/// What drops a user's value.
pub(crate) type DropFn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A value of the user's, with the function that drops it.
#[derive(Debug)]
pub(crate) struct UserData {
    data: *mut c_void,
    drop: DropFn,
}

// SAFETY: the header asks of every `user_data` that callbacks and drop may use it on any thread, several at once.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(data: *mut c_void, drop: DropFn) -> UserData {
        UserData { data, drop }
    }

    pub(crate) fn get(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: the user gave the function for this value; it is called once, since the value is dropped once.
            unsafe { drop(self.data) }
        }
    }
}
