//! Server processes of the tests' own.

use std::io::{BufRead, BufReader, Result};
use std::process::{Child, Command, Stdio};

/// A running victim; killed when dropped.
pub struct Victim {
    child: Child,
    address: String,
}

impl Victim {
    /// Starts the program with `name=value` options of the server, or `bind=address`.
    ///
    /// # Errors
    /// When the process cannot be started or says no address.
    pub fn start(program: &str, options: &[&str]) -> Result<Victim> {
        let mut command = Command::new(program);
        let mut child = command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        let address = address.trim().to_owned();
        let victim = Victim { child, address };
        if victim.address.is_empty() {
            return Err(std::io::Error::other("the victim gave no address"));
        }
        Ok(victim)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Sends a signal by its name, `STOP` or `CONT`.
    ///
    /// # Errors
    /// When the signal could not be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("kill -{name}: {status}"))) }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may be dead already: that is what these tests do.
        let _ = self.kill();
    }
}
