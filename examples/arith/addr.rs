//! The one option of both programs.

const USAGE: &str = "usage: --addr <address>, such as tcp@127.0.0.1:8972 (the default), unix@/tmp/arith.sock";

/// The value of `--addr`, or the default; ends the program when something else stands there.
pub(crate) fn from_arguments() -> String {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => "tcp@127.0.0.1:8972".to_owned(),
        (Some("--addr" | "-addr"), Some(address), None) => address,
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}
