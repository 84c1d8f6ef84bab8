//! Servers of other people, as processes that come and go.

use crate::ports::Port;
use crate::process::Process;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long one may take to start, on a machine that is busy with others.
const START: Duration = Duration::from_secs(60);

/// How a server is started.
pub trait Program: Send + Sync + 'static {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// How many ports it needs.
    fn ports(&self) -> usize;

    /// How far each of its ports is above the one before, if that is fixed; else 0.
    fn apart(&self) -> u16 {
        0
    }

    /// What runs it, with its data in the folder `data` of `folder`, where other files of its own may be too. Commands are made
    /// by [`guarded`](crate::process::guarded).
    fn command(&self, folder: &Path, ports: &[u16]) -> Command;

    /// Whether it takes requests.
    fn is_ready(&self, ports: &[u16]) -> bool;
}

/// A server on loopback with ports and data of its own; killed when dropped.
pub struct Daemon {
    program: Box<dyn Program>,
    process: Option<Process>,
    ports: Vec<Port>,
    folder: TempDir,
}

impl Daemon {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: impl Program) -> Daemon {
        let mut daemon = Daemon {
            program: Box::new(program),
            process: None,
            ports: Vec::new(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        // Somebody else may have taken a port in the meantime.
        for _ in 0..3 {
            daemon.ports = Port::series(daemon.program.ports(), daemon.program.apart());
            if daemon.try_up() {
                return daemon;
            }
        }
        panic!("{} does not start: {}", daemon.program.name(), daemon.log());
    }

    /// Starts it again, with the data that it has.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn up(&mut self) {
        assert!(self.try_up(), "{} does not start again: {}", self.program.name(), self.log());
    }

    /// Kills it (SIGKILL). Its data stay.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// Takes the data of one that is down.
    ///
    /// # Panics
    /// When they cannot be removed.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "it runs");
        let data = self.data();
        if data.exists() {
            std::fs::remove_dir_all(data).expect("the data go");
        }
    }

    /// Stops (`STOP`) or continues (`CONT`) the process.
    ///
    /// # Panics
    /// When it is down.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// One of its ports.
    ///
    /// # Panics
    /// When it has none of this number.
    pub fn port(&self, index: usize) -> u16 {
        self.ports[index].number()
    }

    /// Where its data are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has said since it was started last.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn try_up(&mut self) -> bool {
        std::fs::create_dir_all(self.data()).expect("a folder for the data");
        let ports: Vec<u16> = self.ports.iter().map(Port::number).collect();
        let command = self.program.command(self.folder.path(), &ports);
        let mut process = Process::start(command, &self.folder.path().join("log"));
        let until = Instant::now() + START;
        while process.is_alive() && Instant::now() < until {
            // What answers on the port may be another server, if this one has died of that.
            if self.program.is_ready(&ports) && process.is_alive() {
                self.process = Some(process);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("name", &self.program.name()).field("ports", &self.ports).finish_non_exhaustive()
    }
}
