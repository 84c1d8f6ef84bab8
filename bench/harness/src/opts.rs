//! The command line of a benchmark program: `--addr HOST:PORT` for a server; for a client also `--conns N
//! --concurrency N --seconds S [--warmup S] [--server-pid PID]`; and any `--key value` a program wants for itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// Which half of the benchmark this process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Serves until it is ended.
    Server,
    /// Calls for [`Opts::seconds`] and reports.
    Client,
}

/// The parsed command line.
#[derive(Clone, Debug)]
pub struct Opts {
    /// Server or client.
    pub mode: Mode,
    /// Where the server listens.
    pub addr: SocketAddr,
    /// Connections of the client, at most [`Opts::concurrency`].
    pub conns: usize,
    /// Callers, spread over the connections, each with one call in flight.
    pub concurrency: usize,
    /// Length of the measured window.
    pub seconds: Duration,
    /// Time the callers run before the window.
    pub warmup: Duration,
    /// The server's process, whose CPU time and peak memory go into the report.
    pub server_pid: Option<u32>,
    /// Name of the program in the report.
    pub peer: String,
    rest: HashMap<String, String>,
}

impl Opts {
    /// Parses `server|client --key value …`, for a program that is both halves. Ends the process with a usage line if
    /// that fails.
    #[must_use]
    pub fn either(peer: &str) -> Self {
        let mut args = std::env::args().skip(1);
        let mode = match args.next().as_deref() {
            Some("server") => Ok(Mode::Server),
            Some("client") => Ok(Mode::Client),
            _ => Err("the first argument must be server or client".to_string()),
        };
        or_exit(mode.and_then(|mode| Self::parse(peer, mode, args)))
    }

    /// Parses `--key value …` of a program that is a server. Ends the process with a usage line if that fails.
    #[must_use]
    pub fn server(peer: &str) -> Self {
        or_exit(Self::parse(peer, Mode::Server, std::env::args().skip(1)))
    }

    /// Parses `--key value …` of a program that is a client. Ends the process with a usage line if that fails.
    #[must_use]
    pub fn client(peer: &str) -> Self {
        or_exit(Self::parse(peer, Mode::Client, std::env::args().skip(1)))
    }

    fn parse(peer: &str, mode: Mode, mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut rest = HashMap::new();
        while let Some(arg) = args.next() {
            let key = arg.strip_prefix("--").ok_or_else(|| format!("expected --key, got {arg}"))?;
            let value = args.next().ok_or_else(|| format!("--{key} needs a value"))?;
            rest.insert(key.to_string(), value);
        }
        let mut take = |key: &str| rest.remove(key);
        let addr = take("addr").ok_or("--addr HOST:PORT is needed")?;
        let concurrency = number(take("concurrency"), "concurrency", 1usize)?.max(1);
        Ok(Self {
            mode,
            addr: addr.parse().map_err(|_| format!("--addr {addr}: not HOST:PORT with a numeric host"))?,
            conns: number(take("conns"), "conns", 1usize)?.clamp(1, concurrency),
            concurrency,
            seconds: Duration::from_secs_f64(number(take("seconds"), "seconds", 3.0f64)?.clamp(0.1, 600.0)),
            warmup: Duration::from_secs_f64(number(take("warmup"), "warmup", 0.7f64)?.clamp(0.0, 60.0)),
            server_pid: take("server-pid").map(|v| number(Some(v), "server-pid", 0)).transpose()?,
            peer: take("peer").unwrap_or_else(|| peer.to_string()),
            rest,
        })
    }

    /// Value of a program's own option, or `unset`.
    #[must_use]
    pub fn get<'a>(&'a self, key: &str, unset: &'a str) -> &'a str {
        self.rest.get(key).map_or(unset, String::as_str)
    }

    /// Whether a program's own option has this value.
    #[must_use]
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.rest.get(key).is_some_and(|v| v == value)
    }

    /// Numeric value of a program's own option, or `unset`; ends the process with a usage line if it isn't a number.
    #[must_use]
    pub fn num(&self, key: &str, unset: usize) -> usize {
        or_exit(number(self.rest.get(key).cloned(), key, unset))
    }

    /// How many callers share connection `i`.
    #[must_use]
    pub fn callers_on(&self, i: usize) -> usize {
        self.concurrency / self.conns + usize::from(i < self.concurrency % self.conns)
    }
}

fn number<T: FromStr>(value: Option<String>, key: &str, unset: T) -> Result<T, String> {
    value.map_or(Ok(unset), |v| v.parse().map_err(|_| format!("--{key} {v}: not a number")))
}

fn or_exit<T>(parsed: Result<T, String>) -> T {
    parsed.unwrap_or_else(|why| {
        eprintln!("{why}\nusage: --addr HOST:PORT [--conns N --concurrency N --seconds S --warmup S --server-pid PID]");
        std::process::exit(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Opts, String> {
        Opts::parse("test", Mode::Client, line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn callers_are_spread_over_the_connections() {
        let o = parse("--addr 127.0.0.1:1 --conns 3 --concurrency 10").unwrap();
        assert_eq!((0..3).map(|i| o.callers_on(i)).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(parse("--addr 127.0.0.1:1 --conns 3 --concurrency 2").unwrap().conns, 2);
    }

    #[test]
    fn own_options_are_kept_and_bad_ones_named() {
        let o = parse("--addr 127.0.0.1:1 --rt ct --threads 2").unwrap();
        assert!(o.is("rt", "ct"));
        assert_eq!((o.num("threads", 1), o.get("flavor", "async")), (2, "async"));
        assert_eq!(parse("--conns 3").unwrap_err(), "--addr HOST:PORT is needed");
        assert_eq!(parse("--addr 127.0.0.1:1 --conns x").unwrap_err(), "--conns x: not a number");
        assert_eq!(parse("--addr localhost").unwrap_err(), "--addr localhost: not HOST:PORT with a numeric host");
    }
}
