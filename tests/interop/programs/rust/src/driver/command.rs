//! What each command does. Those that must be done before the next line are; the others give the work that is left.

use super::call::CallCommand;
use super::clients::Clients;
use super::fields::Fields;
use super::{Answer, Cancels, Work, answer_of, burst, misuse, options, show};
use rpcx::Result;
use rpcx::client::{Batch, Pushes};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// How long `shutdown` waits for running calls when the case does not say.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far a command has come.
pub(super) enum Begun {
    Done,
    Goes(Work),
}

pub(super) fn begin(clients: &mut Clients, cancels: &Cancels, fields: Map<String, Value>) -> Result<Begun> {
    let mut fields = Fields::new(fields);
    let name = fields.text("do")?;
    let work = match name.as_str() {
        "client" => return clients.make(fields).map(|()| Begun::Done),
        "update" => return clients.update(fields).map(|()| Begun::Done),
        "cancel" => {
            let id = fields.take("call").ok_or_else(|| misuse("call is missing"))?;
            fields.done()?;
            return cancels.cancel(&id).map(|()| Begun::Done);
        }
        "call" | "oneway" | "oneshot" | "broadcast" | "fork" | "inform" => call(name, clients, fields)?,
        "batch" => batch(clients, fields)?,
        "burst" => burst::begin(clients, fields)?,
        "pushes" => pushes(clients, fields)?,
        "stats" => {
            let client = clients.of(&mut fields)?.client;
            fields.done()?;
            Box::pin(async move { Ok(answer_of("stats", json!(client.stats()))) })
        }
        "shutdown" | "close" => end(&name, clients, fields)?,
        "sleep" => {
            let time = fields.take("ms").ok_or_else(|| misuse("ms is missing"))?;
            let time = options::duration("ms", &time)?;
            fields.done()?;
            Box::pin(async move {
                tokio::time::sleep(time).await;
                Ok(Answer::new())
            })
        }
        unknown => return Err(misuse(format!("unknown command {unknown:?}"))),
    };
    Ok(Begun::Goes(work))
}

fn call(name: String, clients: &Clients, mut fields: Fields) -> Result<Work> {
    let client = clients.of(&mut fields)?;
    let call = CallCommand::read(&mut fields)?;
    fields.done()?;
    let call = call.prepare(&client)?;
    Ok(Box::pin(async move {
        let began = Instant::now();
        match name.as_str() {
            "oneway" => call.oneway().await.map(|()| Answer::new()),
            "oneshot" => call.oneshot().map(|()| Answer::new()),
            "inform" => {
                let answers = call.inform().await?;
                Ok(replies(answers.into_iter().map(|(_, result)| show::response(result, began))))
            }
            "broadcast" => show::response(call.broadcast().await, began),
            "fork" => show::response(call.fork().await, began),
            _ => show::response(call.call().await, began),
        }
    }))
}

fn batch(clients: &Clients, mut fields: Fields) -> Result<Work> {
    let client = clients.of(&mut fields)?;
    let Some(Value::Array(calls)) = fields.take("calls") else {
        return Err(misuse("calls: expected a list of calls"));
    };
    fields.done()?;
    let mut batch = Batch::new();
    for call in calls {
        let Value::Object(call) = call else { return Err(misuse(format!("calls: {call} is no object"))) };
        let mut fields = Fields::new(call);
        let call = CallCommand::read(&mut fields)?;
        fields.done()?;
        call.prepare(&client)?.add_to(&mut batch);
    }
    Ok(Box::pin(async move {
        let began = Instant::now();
        Ok(replies(batch.run().await.into_iter().map(|result| show::response(result, began))))
    }))
}

fn replies(answers: impl Iterator<Item = Result<Answer>>) -> Answer {
    answer_of("replies", answers.map(|answer| Value::Object(show::answer(answer))).collect::<Vec<_>>())
}

fn pushes(clients: &Clients, mut fields: Fields) -> Result<Work> {
    let mut pushes = clients.of(&mut fields)?.client.pushes();
    let count = fields.count("count")?.unwrap_or(1);
    let timeout = fields.take("timeout").map(|time| options::duration("timeout", &time)).transpose()?;
    fields.done()?;
    Ok(Box::pin(async move {
        let mut came = Vec::new();
        let all = take(&mut pushes, count, &mut came);
        match timeout {
            None => all.await,
            // What came before it is the answer.
            Some(timeout) => tokio::time::timeout(timeout, all).await.unwrap_or_default(),
        }
        Ok(answer_of("pushes", came))
    }))
}

async fn take(pushes: &mut Pushes, count: usize, came: &mut Vec<Value>) {
    while came.len() < count {
        let Some(push) = pushes.next().await else { return };
        came.push(show::push(&push));
    }
}

fn end(name: &str, clients: &Clients, mut fields: Fields) -> Result<Work> {
    let client = clients.of(&mut fields)?.client;
    let timeout = fields.take("timeout").map(|time| options::duration("timeout", &time)).transpose()?;
    fields.done()?;
    let patience = if name == "shutdown" { timeout.unwrap_or(PATIENCE) } else { Duration::ZERO };
    Ok(Box::pin(async move {
        if patience.is_zero() {
            client.close();
        } else {
            // Calls that it cuts off say so themselves.
            let _ = client.shutdown(patience).await;
        }
        Ok(Answer::new())
    }))
}
