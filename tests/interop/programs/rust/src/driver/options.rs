//! Options in JSON: the library takes each as text, by its name.

use super::misuse;
use rpcx::Result;
use rpcx::config::ClientOptions;
use serde_json::{Map, Value};
use std::time::Duration;

/// The text of an option's value.
pub(super) fn text(name: &str, value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Result<Vec<String>> = items.iter().map(|item| text(name, item)).collect();
            items?.join(",")
        }
        Value::Null => String::new(),
        Value::Object(_) => return Err(misuse(format!("option {name}: {value} is an object"))),
    })
}

/// The options of a client, which has no deadline unless a case sets one. A group may be an object of its own.
pub(super) fn client(given: &Map<String, Value>, tls: Option<&Map<String, Value>>) -> Result<ClientOptions> {
    let mut options = ClientOptions { timeout: Duration::ZERO, ..ClientOptions::default() };
    for (name, value) in given {
        match value {
            Value::Object(group) => set_group(&mut options, name, group)?,
            _ => options.set(name, &text(name, value)?)?,
        }
    }
    if let Some(files) = tls {
        options.tls.enabled = true;
        set_group(&mut options, "tls", files)?;
    }
    Ok(options)
}

fn set_group(options: &mut ClientOptions, group: &str, values: &Map<String, Value>) -> Result<()> {
    for (name, value) in values {
        let name = format!("{group}.{name}");
        options.set(&name, &text(&name, value)?)?;
    }
    Ok(())
}

/// A time as the options have it: milliseconds, or text with a unit.
pub(super) fn duration(name: &str, value: &Value) -> Result<Duration> {
    let mut options = ClientOptions::default();
    let set = options.set("timeout", &text(name, value)?);
    set.map_err(|_| misuse(format!("{name}: {value} is no time in milliseconds")))?;
    Ok(options.timeout)
}
