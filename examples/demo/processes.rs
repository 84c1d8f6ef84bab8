//! The servers as child processes of the demo.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::report::Outcome;

/// A server that runs. Dropping it kills the process.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    child: Child,
}

impl Process {
    /// Starts this program as a server and waits until it listens. `kind` is `steady` or `moody`.
    pub(crate) async fn start(name: &'static str, kind: &str, address: &str) -> Outcome<Process> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([kind, address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await??;
        let address = line
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on "))
            .ok_or_else(|| format!("server {name} did not start"))?;
        Ok(Process { name, address: address.to_owned(), child })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> String {
        self.child.id().map_or_else(|| "-".to_owned(), |id| id.to_string())
    }

    /// Kills it at once (SIGKILL): connections break in the middle of calls.
    pub(crate) async fn kill(&mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, which it does once its calls are answered.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        drop(self.child.stdin.take());
        let status = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("server {} ended with {status}", self.name).into()) }
    }
}
