//! The driver's clients by name, and where their servers are.

use super::fields::Fields;
use super::{misuse, options};
use rpcx::Result;
use rpcx::client::Client;
use rpcx::discovery::{Discovery, Multiple, Node};
use rpcx::protocol::SerializeType;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// A client with what its commands need besides.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) client: Client,
    /// How arguments are encoded unless a call says otherwise.
    pub(super) serialize_type: SerializeType,
}

#[derive(Default)]
pub(super) struct Clients(HashMap<String, Named>);

impl Clients {
    /// The client that a command names.
    pub(super) fn of(&self, fields: &mut Fields) -> Result<Named> {
        let name = fields.text("client")?;
        self.0.get(&name).cloned().ok_or_else(|| misuse(format!("unknown client {name:?}")))
    }

    /// `client`: makes one; a client of that name is closed.
    pub(super) fn make(&mut self, mut fields: Fields) -> Result<()> {
        let name = fields.text("name")?;
        let discovery = open(fields.take("discovery"))?;
        let given = fields.object("options")?;
        let tls = match fields.take("tls") {
            None | Some(Value::Null) => None,
            Some(Value::Object(files)) => Some(files),
            Some(other) => return Err(misuse(format!("tls: {other} is no object"))),
        };
        fields.done()?;
        let options = options::client(&given, tls.as_ref())?;
        let serialize_type = options.serialize_type;
        let client = Client::builder().options(options).discovery(discovery).build()?;
        if let Some(old) = self.0.insert(name, Named { client, serialize_type }) {
            old.client.close();
        }
        Ok(())
    }

    /// `update`: replaces the servers of a client that was made from a list.
    pub(super) fn update(&self, mut fields: Fields) -> Result<()> {
        let client = self.of(&mut fields)?;
        let nodes = open(fields.take("discovery"))?.watch("").latest().nodes().to_vec();
        fields.done()?;
        client.client.set_nodes(nodes)
    }

    pub(super) fn close_all(&self) {
        self.0.values().for_each(|named| named.client.close());
    }
}

/// A URL, an address, or a list of addresses.
fn open(discovery: Option<Value>) -> Result<Arc<dyn Discovery>> {
    let discovery: Arc<dyn Discovery> = match discovery {
        Some(Value::String(url)) => crate::schemes().open(&url)?,
        Some(Value::Array(list)) => Arc::new(Multiple::new(list.iter().map(node).collect::<Result<_>>()?)),
        other => {
            let shown = other.unwrap_or_default();
            return Err(misuse(format!("discovery: {shown} is neither an address or URL nor a list of addresses")));
        }
    };
    Ok(discovery)
}

fn node(entry: &Value) -> Result<Node> {
    let text = entry.as_str().ok_or_else(|| misuse(format!("discovery: {entry} is no address")))?;
    text.parse()
}
