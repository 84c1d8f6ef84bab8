//! The layout of the structs that C lays out itself, compared with `tests/layout.txt`: what has been published never moves.

use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::path::Path;

macro_rules! layouts {
    ($( $module:ident::$name:ident { $($field:ident),+ $(,)? } )+) => {
        /// Each struct with its size, each field with its offset; complete, since a forgotten field does not compile.
        fn layouts() -> String {
            let mut out = String::new();
            $({
                use crate::$module::$name;
                // Names every field.
                let _ = |value: $name| { let $name { $($field: _),+ } = value; };
                writeln!(out, "{} {}", stringify!($name), size_of::<$name>()).expect("to a string");
                $( writeln!(out, "{}.{} {}", stringify!($name), stringify!($field), offset_of!($name, $field))
                    .expect("to a string"); )+
            })+
            out
        }
    };
}

layouts! {
    bytes::rpcx_slice { data, len }
    bytes::rpcx_buffer { struct_size, data, len, release, user_data }
    logs::rpcx_log_record { struct_size, level, reserved, target, message }
    logs::rpcx_logger { struct_size, log, drop_user_data, user_data }
    completion::rpcx_completion { struct_size, done, drop_user_data, user_data }
    queue::rpcx_event { struct_size, tag, kind, reserved, reply, error, request, push, auth }
    client::rpcx_subscriber { struct_size, push, drop_user_data, user_data }
    method::rpcx_call_options {
        struct_size, kind, timeout_ms, flags, reserved, metadata, parent, hash_key, target, buffer, config,
    }
    handler::rpcx_handler { struct_size, handle, drop_user_data, user_data }
    auth::rpcx_authenticator { struct_size, check, drop_user_data, user_data }
    interceptor::rpcx_interceptor { struct_size, intercept, drop_user_data, user_data }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn structs_stay_as_they_were_published() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.txt");
    if std::env::var_os("RPCX_BLESS").is_some() {
        std::fs::write(&file, layouts()).expect("write the layouts");
    }
    let published = std::fs::read_to_string(&file).expect("tests/layout.txt");
    assert_eq!(layouts(), published, "add fields at the end, then RPCX_BLESS=1 cargo test -p librpcx-ffi --lib");
}

/// Whoever was compiled against the first version of a struct passes that much of it, and no less.
#[test]
#[cfg(target_pointer_width = "64")]
fn the_first_versions_stay() {
    use crate::arg::Versioned;
    assert_eq!(crate::bytes::rpcx_buffer::FIRST, 40);
    assert_eq!(crate::method::rpcx_call_options::FIRST, 88);
    assert_eq!(crate::completion::rpcx_completion::FIRST, 32);
    assert_eq!(crate::logs::rpcx_logger::FIRST, 32);
    assert_eq!(crate::client::rpcx_subscriber::FIRST, 32);
    assert_eq!(crate::handler::rpcx_handler::FIRST, 32);
    assert_eq!(crate::auth::rpcx_authenticator::FIRST, 32);
    assert_eq!(crate::interceptor::rpcx_interceptor::FIRST, 32);
    assert_eq!(crate::queue::EVENT_FIRST, 64);
}
