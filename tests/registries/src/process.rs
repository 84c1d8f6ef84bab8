//! Processes that end with the test.

use crate::wait::LIMIT;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A process of a test; killed when dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts what [`guarded`] made, which says nothing that matters; its output goes to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let output = std::fs::File::create(log).expect("a log");
        let errors = output.try_clone().expect("a log");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        Process {
            child: command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}: run `tests/stages/run servers`")),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it without a word (SIGKILL).
    pub fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name: `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name} {}", self.id());
    }

    /// Waits until it has ended by itself; its exit status.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let until = Instant::now() + LIMIT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(Instant::now() < until, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program of a registry: where `tests/stages/run servers` has unpacked it, else what the path has.
pub fn program(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/registries/usr");
    let unpacked = ["bin", "sbin"].map(|part| folder.join(part).join(name)).into_iter().find(|path| path.is_file());
    unpacked.map_or(name.to_owned(), |path| path.display().to_string())
}

/// The command for a program that is killed when the thread that starts it ends, however that comes.
pub fn guarded(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig").arg("KILL").arg("--").arg(program);
    command
}

/// A process that says what happens, a line each, and is told what to do.
#[derive(Debug)]
pub struct Talker {
    process: Process,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it has said, for the text of a failure.
    said: Vec<String>,
}

impl Talker {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[String]) -> Talker {
        let mut command = guarded(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        let (sender, lines) = channel();
        let output = child.stdout.take().expect("its output");
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Whoever does not listen any more has seen enough.
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Talker { process: Process { child }, input, lines, said: Vec::new() }
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Tells it something.
    ///
    /// # Panics
    /// When it does not listen.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("open"), "{line}").expect("it listens");
    }

    /// Tells it that no more follows: it ends in its own way.
    pub fn finish(&mut self) {
        self.input = None;
    }

    /// Its next line that `wanted` takes; others are passed over.
    ///
    /// # Panics
    /// When none comes.
    pub fn hear(&mut self, what: &str, mut wanted: impl FnMut(&str) -> bool) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{what}: not said, but {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: it has ended, and said {:#?}", self.said),
            }
        }
    }
}
