//! Many calls, summed up.

use super::call::{CallCommand, Payload, ReplyAs};
use super::clients::{Clients, Named};
use super::fields::Fields;
use super::form::Prepared;
use super::{Work, misuse, read, show};
use crate::arith::{ArithArgs, ArithReply};
use rpcx::client::{Response, Service};
use rpcx::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What stands for the number of the call in its arguments.
const INDEX: &str = "$i";

struct Burst {
    client: Named,
    service: Service,
    command: CallCommand,
    args: Value,
    /// The one call to be made again and again, unless each has its own number in the arguments.
    same: Option<Box<dyn Prepared>>,
    /// How the reply to the arguments must look, where the driver knows it.
    expected: Option<fn(ArithArgs) -> ArithReply>,
    count: usize,
    next: AtomicUsize,
}

/// What one caller saw.
#[derive(Default)]
struct Seen {
    errors: BTreeMap<String, u64>,
    servers: BTreeMap<String, u64>,
    wrong: u64,
    took: Vec<Duration>,
}

pub(super) fn begin(clients: &Clients, mut fields: Fields) -> Result<Work> {
    let client = clients.of(&mut fields)?;
    let count = at_least_one(&mut fields, "count")?;
    let concurrency = at_least_one(&mut fields, "concurrency")?;
    let command = CallCommand::read(&mut fields)?;
    fields.done()?;
    let args = match &command.payload {
        Some(Payload::Args(args)) => args.clone(),
        _ => Value::Null,
    };
    let service = client.client.service(&command.service)?;
    // Prepared in any case: arguments that do not fit are refused before the first call.
    let first = with_args(&command, &args, 0).prepare_on(&client, service.clone())?;
    let same = (numbered(&args, 0) == args).then_some(first);
    let (expected, next) = (expected(&command), AtomicUsize::new(0));
    let burst = Arc::new(Burst { client, service, command, args, same, expected, count, next });
    Ok(Box::pin(async move {
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..concurrency.min(count) {
            callers.spawn(burst.clone().caller());
        }
        let mut all = Seen::default();
        while let Some(seen) = callers.join_next().await {
            all.add(seen.map_err(|error| misuse(format!("a caller ended: {error}")))?);
        }
        Ok(all.summary(count, began.elapsed()))
    }))
}

fn at_least_one(fields: &mut Fields, name: &str) -> Result<usize> {
    match fields.count(name)? {
        None => Ok(1),
        Some(0) => Err(misuse(format!("{name}: 0 is too few"))),
        Some(count) => Ok(count),
    }
}

impl Burst {
    /// Makes one call after the other until all were made.
    async fn caller(self: Arc<Self>) -> Seen {
        let mut seen = Seen::default();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count {
                return seen;
            }
            let began = Instant::now();
            let result = self.call(index).await;
            seen.took.push(began.elapsed());
            match result {
                Ok(response) => {
                    *seen.servers.entry(response.server.to_string()).or_default() += 1;
                    seen.wrong += u64::from(!self.is_right(index, &response));
                }
                Err(error) => seen.failed(&error),
            }
        }
    }

    async fn call(&self, index: usize) -> Result<Response<Value>> {
        if let Some(call) = &self.same {
            return call.call().await;
        }
        let command = with_args(&self.command, &self.args, index);
        command.prepare_on(&self.client, self.service.clone())?.call().await
    }

    fn is_right(&self, index: usize, response: &Response<Value>) -> bool {
        let Some(expected) = self.expected else { return true };
        let reply = read::args(&numbered(&self.args, index)).map(expected);
        reply.is_ok_and(|reply| show::value(&reply).as_ref() == Ok(&response.value))
    }
}

/// The command with its own number in its arguments.
fn with_args(command: &CallCommand, args: &Value, index: usize) -> CallCommand {
    let mut command = command.clone();
    if let Some(Payload::Args(_)) = command.payload {
        command.payload = Some(Payload::Args(numbered(args, index)));
    }
    command
}

fn numbered(args: &Value, index: usize) -> Value {
    match args {
        Value::String(text) if text == INDEX => index.into(),
        Value::String(text) => text.replace(INDEX, &index.to_string()).into(),
        Value::Array(items) => items.iter().map(|item| numbered(item, index)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), numbered(value, index))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// What `Arith` must answer; nothing where the command has no arguments or shows no value.
fn expected(command: &CallCommand) -> Option<fn(ArithArgs) -> ArithReply> {
    let (Some(Payload::Args(_)), ReplyAs::Value, "Arith") = (&command.payload, command.reply, &*command.service) else {
        return None;
    };
    match &*command.method {
        "Mul" => Some(|args| ArithReply { c: args.a.wrapping_mul(args.b) }),
        "Add" => Some(|args| ArithReply { c: args.a.wrapping_add(args.b) }),
        "Div" => Some(|args| ArithReply { c: args.a.checked_div(args.b).unwrap_or(args.a) }),
        _ => None,
    }
}

impl Seen {
    fn failed(&mut self, error: &Error) {
        *self.errors.entry(error.kind().as_str().to_owned()).or_default() += 1;
    }

    fn add(&mut self, other: Seen) {
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        for (server, count) in other.servers {
            *self.servers.entry(server).or_default() += count;
        }
        self.wrong += other.wrong;
        self.took.extend(other.took);
    }

    fn summary(mut self, count: usize, took: Duration) -> Map<String, Value> {
        self.took.sort_unstable();
        let quantile = |of: f64| {
            let at = (of * (self.took.len() - 1) as f64) as usize;
            self.took[at].as_micros() as f64 / 1e3
        };
        Map::from_iter([
            ("count".into(), count.into()),
            ("errors".into(), json!(self.errors)),
            ("wrong".into(), self.wrong.into()),
            ("servers".into(), json!(self.servers)),
            ("calls_per_s".into(), (count as f64 / took.as_secs_f64().max(1e-9)).into()),
            ("p50_ms".into(), quantile(0.5).into()),
            ("p99_ms".into(), quantile(0.99).into()),
        ])
    }
}
