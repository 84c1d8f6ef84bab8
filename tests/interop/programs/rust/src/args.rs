//! A small command line: `--name VALUE…`, every name known in advance.

use std::collections::HashMap;

/// A way to misuse the command line: the text names what is wrong.
pub type Misuse = String;

/// What was given, by name.
#[derive(Debug, Default)]
pub struct Args(HashMap<String, Vec<String>>);

impl Args {
    /// Reads this process's arguments. Prints `usage` and ends the process for `--help`; ends it with status 2 and a text on
    /// standard error for arguments that are not in `known`.
    pub fn parse(usage: &str, known: &[&str]) -> Args {
        let given: Vec<String> = std::env::args().skip(1).collect();
        if given.iter().any(|arg| arg == "--help" || arg == "-h") {
            print!("{usage}");
            std::process::exit(0);
        }
        Args::read(given, known).unwrap_or_else(|misuse| refuse(&misuse, usage))
    }

    /// Sorts values under the name before them; a name may come again.
    fn read(given: impl IntoIterator<Item = String>, known: &[&str]) -> Result<Args, Misuse> {
        let mut args = HashMap::<String, Vec<String>>::new();
        let mut current = None;
        for arg in given {
            match arg.strip_prefix("--") {
                Some(name) if known.contains(&name) => {
                    args.entry(name.to_owned()).or_default();
                    current = Some(name.to_owned());
                }
                Some(_) => return Err(format!("unknown argument {arg}")),
                None => match &current {
                    Some(name) => args.entry(name.clone()).or_default().push(arg),
                    None => return Err(format!("unknown argument {arg}")),
                },
            }
        }
        match args.iter().find(|(_, values)| values.is_empty()) {
            Some((name, _)) => Err(format!("--{name} needs a value")),
            None => Ok(Args(args)),
        }
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of a name that may be given once.
    ///
    /// # Errors
    /// When it was given more often.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Misuse> {
        match self.all(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            [_, other, ..] => Err(format!("--{name} is given once, but {other} follows")),
        }
    }
}

/// Says what is wrong with the command line and ends the process with status 2.
pub fn refuse(misuse: &str, usage: &str) -> ! {
    eprintln!("{misuse}\n\n{usage}");
    std::process::exit(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, Misuse> {
        Args::read(line.split_whitespace().map(str::to_owned), &["listen", "auth"])
    }

    #[test]
    fn values_gather_under_their_name() {
        let args = read("--listen a b --auth t --listen c").unwrap();
        assert_eq!(args.all("listen"), ["a", "b", "c"]);
        assert_eq!(args.one("auth"), Ok(Some("t")));
        assert!(args.one("listen").unwrap_err().contains('b'));
    }

    #[test]
    fn misuse_is_named() {
        assert!(read("--nonsense 1").unwrap_err().contains("--nonsense"));
        assert!(read("stray").unwrap_err().contains("stray"));
        assert!(read("--listen a --auth").unwrap_err().contains("--auth"));
    }
}
