//! Clients as JavaScript holds them: by number.

use std::time::Duration;

use napi_derive::napi;
use rpcx_embed::{Client, ClientConfig, Discovery};

use crate::bridge::{Bridge, settle};
use crate::error::{Result, closed, thrown};
use crate::event::{Event, millis};
use crate::slab::Key;

/// What a client is made of.
#[napi(object)]
pub struct NativeClientConfig {
    /// An address, or the URL of a discovery.
    pub url: Option<String>,
    /// Or servers by address, each with its metadata.
    pub nodes: Option<Vec<String>>,
    /// Options by name.
    pub options: Vec<(String, String)>,
}

#[napi]
impl Bridge {
    /// Makes a client; nothing is connected before the first call.
    #[napi(catch_unwind)]
    pub fn open_client(&self, config: NativeClientConfig) -> Result<f64> {
        let discovery = match (config.url, config.nodes) {
            (Some(url), _) => Discovery::Url(url),
            (None, nodes) => Discovery::Nodes(nodes.unwrap_or_default()),
        };
        let client = Client::open(ClientConfig { discovery, options: config.options, threads: 1 }).map_err(thrown)?;
        Ok(self.state.borrow_mut().clients.insert(client).into())
    }

    /// The number of a method, for calls.
    #[napi(catch_unwind)]
    pub fn method(&self, client: f64, service: String, method: String) -> Result<f64> {
        let method = self.client(client)?.method(&service, &method).map_err(thrown)?;
        Ok(self.state.borrow_mut().methods.insert(method).into())
    }

    /// Forgets methods.
    #[napi(catch_unwind)]
    pub fn release_methods(&self, methods: Vec<f64>) {
        let state = &mut *self.state.borrow_mut();
        for method in methods {
            state.methods.remove(Key::from(method));
        }
    }

    /// Replaces the servers of a client that was made from a list.
    #[napi(catch_unwind)]
    pub fn set_nodes(&self, client: f64, nodes: Vec<String>) -> Result<()> {
        self.client(client)?.set_nodes(&nodes).map_err(thrown)
    }

    /// What the client has counted, as JSON.
    #[napi(catch_unwind)]
    pub fn client_stats(&self, client: f64) -> Result<String> {
        self.client(client)?.stats_json().map_err(thrown)
    }

    /// The same as Prometheus reads it.
    #[napi(catch_unwind)]
    pub fn client_metrics(&self, client: f64, name: String) -> Result<String> {
        self.client(client)?.metrics_text(&name).map_err(thrown)
    }

    /// Delivers what servers push to the client, until it is closed: at most `ahead` messages beyond those that were
    /// released. The others wait in the client, as its options let them.
    #[napi(catch_unwind)]
    pub fn take_pushes(&self, client: f64, ahead: u32) -> Result<()> {
        let key = Key::from(client);
        let queue = self.queue.clone();
        let sink = move |push| {
            queue.push(Event::Push(key, push));
            !queue.is_closed()
        };
        self.client(client)?.take_held(ahead as usize, sink).map_err(thrown)?;
        self.state.borrow_mut().unread.insert(key.index, Vec::new());
        Ok(())
    }

    /// So many of the messages that were delivered have been read.
    #[napi(catch_unwind)]
    pub fn release_pushes(&self, client: f64, count: u32) {
        if let Some(places) = self.state.borrow_mut().unread.get_mut(&Key::from(client).index) {
            places.truncate(places.len().saturating_sub(count as usize));
        }
    }

    /// Ends the client at once; calls under way fail with `closed`. Its number stays until it is released.
    #[napi(catch_unwind)]
    pub fn close_client(&self, client: f64) {
        if let Ok(open) = self.client(client) {
            open.close();
            // Its end comes behind the messages that wait, which need no reader from here on.
            self.state.borrow_mut().unread.remove(&Key::from(client).index);
        }
    }

    /// Ends the client once its calls have ended, at most after so many milliseconds; tells the ticket.
    #[napi(catch_unwind)]
    pub fn shutdown_client(&self, client: f64, milliseconds: f64, ticket: u32) -> Result<()> {
        let queue = self.queue.clone();
        let patience = millis(milliseconds).unwrap_or(Duration::MAX);
        let started = self.client(client)?.shutdown(patience, move |result| queue.push(Event::Done(ticket, result)));
        settle(&self.queue, ticket, started);
        Ok(())
    }

    /// Closes the client and forgets it.
    #[napi(catch_unwind)]
    pub fn release_client(&self, client: f64) {
        let released = self.state.borrow_mut().clients.remove(Key::from(client));
        if let Some(client) = released {
            client.close();
        }
    }

    fn client(&self, client: f64) -> Result<Client> {
        self.state.borrow().clients.get(Key::from(client)).cloned().ok_or_else(|| closed("client"))
    }
}
