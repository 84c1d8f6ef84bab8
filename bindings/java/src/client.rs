//! Native methods of clients.

use std::time::Duration;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JString};
use jni::sys::{jint, jlong};
use rpcx_embed::{Client, ClientConfig, Discovery, Result};

use crate::channel::Channel;
use crate::event::Event;
use crate::guard::guard;
use crate::handle::borrow;
use crate::library::all_bytes;
use crate::wire::Reader;

/// `openClient`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_openClient<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    config: JByteArray<'local>,
) {
    guard(&mut env, |env| {
        let config = read(Reader::new(all_bytes(env, &config)?))?;
        let alone = config.threads <= 1;
        let channel: &Channel = borrow(channel)?;
        let client = Client::open(config)?;
        if alone {
            channel.drive(client.driver()?);
        }
        channel.set_client(client)?;
        Ok(())
    });
}

/// A URL or else a list of nodes, options, threads.
fn read(mut config: Reader) -> Result<ClientConfig> {
    let url = config.optional_text()?;
    let nodes = config.texts()?;
    let discovery = url.map_or(Discovery::Nodes(nodes), Discovery::Url);
    Ok(ClientConfig { discovery, options: config.pairs()?, threads: config.count()? })
}

/// `method`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_method<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    service: JString<'local>,
    method: JString<'local>,
) -> jint {
    guard(&mut env, |env| {
        let channel: &Channel = borrow(channel)?;
        let (service, method) = (service.try_to_string(env)?, method.try_to_string(env)?);
        Ok(channel.add_method(channel.client()?.method(&service, &method)?) as jint)
    })
}

/// `setNodes`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_setNodes<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    nodes: JByteArray<'local>,
) {
    guard(&mut env, |env| {
        let nodes = Reader::new(all_bytes(env, &nodes)?).texts()?;
        Ok(borrow::<Channel>(channel)?.client()?.set_nodes(&nodes)?)
    });
}

/// `takePushes`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_takePushes<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    most: jint,
) {
    guard(&mut env, |_| Ok(borrow::<Channel>(channel)?.take_pushes(usize::try_from(most).unwrap_or_default())?));
}

/// `clientStats`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_clientStats<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(borrow::<Channel>(channel)?.client()?.stats_json()?)?))
}

/// `clientMetrics`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_clientMetrics<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    name: JString<'local>,
) -> JString<'local> {
    guard(&mut env, |env| {
        let name = name.try_to_string(env)?;
        Ok(env.new_string(borrow::<Channel>(channel)?.client()?.metrics_text(&name)?)?)
    })
}

/// `closeClient`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_closeClient<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
) {
    guard(&mut env, |_| {
        borrow::<Channel>(channel)?.client()?.close();
        Ok(())
    });
}

/// `shutdownClient`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_shutdownClient<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    millis: jlong,
    ticket: jlong,
) {
    guard(&mut env, |_| {
        let channel: &Channel = borrow(channel)?;
        let queue = channel.queue.clone();
        let deadline = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        channel.client()?.shutdown(deadline, move |result| queue.push(Event::Done(ticket as u64, result)))?;
        Ok(())
    });
}
