//! The interop driver: reads commands, one JSON object a line, and answers each with a line of the same id.

mod burst;
mod call;
mod clients;
mod command;
mod fields;
mod form;
mod methods;
mod options;
mod read;
mod show;

use crate::args::Args;
use clients::Clients;
use command::Begun;
use rpcx::interceptor::BoxFuture;
use rpcx::{Delivery, Error, Reason, Result};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const USAGE: &str = "\
usage: client

Drives the interop test services. Reads commands from stdin, one JSON object a line, and answers each on stdout with a line
of the same id:

  {\"id\":1,\"do\":\"client\",\"name\":\"c\",\"discovery\":\"tcp@127.0.0.1:8972\"}
  {\"id\":2,\"do\":\"call\",\"client\":\"c\",\"service\":\"Arith\",\"method\":\"Mul\",\"args\":{\"A\":6,\"B\":7}}

do: client update call oneway oneshot batch broadcast fork inform burst cancel pushes stats shutdown close sleep. At the end
of input every client is closed.
";

/// The fields of a good answer.
type Answer = Map<String, Value>;

/// What a command still does when the next line is read.
type Work = BoxFuture<'static, Result<Answer>>;

/// Obeys the commands of standard input until it ends.
///
/// # Errors
/// When standard input cannot be read.
pub async fn run() -> std::io::Result<()> {
    Args::parse(USAGE, &[]);
    let mut input = BufReader::new(tokio::io::stdin());
    let mut driver = Driver::default();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).await? > 0 {
        if !line.trim_ascii().is_empty() {
            driver.line(&line).await;
        }
        line.clear();
    }
    driver.clients.close_all();
    driver.finish().await;
    Ok(())
}

#[derive(Default)]
struct Driver {
    clients: Clients,
    running: JoinSet<()>,
    cancels: Cancels,
}

impl Driver {
    /// Obeys one command; what takes time goes on beside the next line.
    async fn line(&mut self, line: &[u8]) {
        let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(line) else {
            return print(&Value::Null, Err(misuse("a command is a JSON object on one line")));
        };
        let id = fields.remove("id").unwrap_or_default();
        match fields.remove("wait") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => self.finish().await,
            Some(other) => return print(&id, Err(misuse(format!("wait: {other} is neither true nor false")))),
        }
        match command::begin(&mut self.clients, &self.cancels, fields) {
            Err(error) => print(&id, Err(error)),
            Ok(Begun::Done) => print(&id, Ok(Answer::new())),
            Ok(Begun::Goes(work)) => self.go_on(id, work).await,
        }
    }

    /// Begins the work here, so that commands begin in the order of their lines, and ends it on a task.
    async fn go_on(&mut self, id: Value, mut work: Work) {
        if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return print(&id, result);
        }
        let (cancels, cancel) = (self.cancels.clone(), self.cancels.add(&id));
        self.running.spawn(async move {
            let result = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(cancelled()),
                result = work => result,
            };
            cancels.remove(&id, &cancel);
            print(&id, result);
        });
    }

    async fn finish(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// The running commands by id, each with what cancels it.
#[derive(Clone, Default)]
struct Cancels(Arc<Mutex<HashMap<String, Arc<CancellationToken>>>>);

impl Cancels {
    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<CancellationToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, id: &Value) -> Arc<CancellationToken> {
        let cancel = Arc::new(CancellationToken::new());
        self.running().insert(id.to_string(), cancel.clone());
        cancel
    }

    /// Forgets it, unless a later command has the same id.
    fn remove(&self, id: &Value, cancel: &Arc<CancellationToken>) {
        let mut running = self.running();
        if running.get(&id.to_string()).is_some_and(|there| Arc::ptr_eq(there, cancel)) {
            running.remove(&id.to_string());
        }
    }

    fn cancel(&self, id: &Value) -> Result<()> {
        let running = self.running();
        let cancel = running.get(&id.to_string()).ok_or_else(|| misuse(format!("call: {id} does not run")))?;
        cancel.cancel();
        Ok(())
    }
}

/// Writes an answer; a driver whose answers nobody reads has nothing more to do.
fn print(id: &Value, result: Result<Answer>) {
    let mut answer = show::answer(result);
    answer.insert("id".into(), id.clone());
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{}", Value::Object(answer)).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// A command that cannot be obeyed; nothing was sent.
fn misuse(text: impl Into<String>) -> Error {
    Error::new(Reason::ConfigBadArgument, text.into())
}

/// Dropping its future cancels a call; this is what its command answers then. Nobody tells how often it was tried: once, as
/// most are.
fn cancelled() -> Error {
    Error::new(Reason::CancelledCaller, "the command was cancelled").with_delivery(Delivery::MaybeRun).with_attempts(1)
}

/// One field as an answer.
fn answer_of(name: &str, value: impl Into<Value>) -> Answer {
    Answer::from_iter([(name.to_owned(), json!(value.into()))])
}
