//! Native methods of servers, their requests and connections.

use std::sync::Arc;
use std::time::Duration;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JLongArray, JString};
use jni::sys::{jboolean, jint, jlong};
use rpcx_embed::{
    Connection, Driver, Handler, MethodFlags, Queue, Request, Result, Server, ServerBuilder, ServerConfig, runtime,
};

use crate::channel::Channel;
use crate::event::{Event, FALLBACK};
use crate::guard::guard;
use crate::handle::{borrow, free, give};
use crate::library::all_bytes;
use crate::wire::Reader;

const ABOUT_TLS: jint = 1;

/// The ways to Java: a connection's requests always go the same one, that of its shard.
struct Lanes {
    queues: Vec<Arc<Queue<Event>>>,
    /// The lane of each shard, by the numbers of the process.
    by_shard: Vec<usize>,
}

impl Lanes {
    fn new(queues: Vec<Arc<Queue<Event>>>, drivers: &[Driver]) -> Result<Lanes> {
        let mut by_shard = Vec::new();
        for (place, driver) in drivers.iter().enumerate() {
            let shard = driver.shard()?;
            if by_shard.len() <= shard {
                by_shard.resize(shard + 1, 0);
            }
            by_shard[shard] = place % queues.len();
        }
        Ok(Lanes { queues, by_shard })
    }

    /// That of the shard whose thread this is.
    fn here(&self) -> &Arc<Queue<Event>> {
        let lane = runtime::current_shard().and_then(|shard| self.by_shard.get(shard));
        &self.queues[lane.copied().unwrap_or_default()]
    }

    fn handler(self: &Arc<Self>, method: i32) -> Arc<dyn Handler> {
        let lanes = self.clone();
        Arc::new(move |request: Request| lanes.here().push(Event::Request(request, method)))
    }
}

/// `startServer`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_startServer<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channels: JLongArray<'local>,
    config: JByteArray<'local>,
) -> jlong {
    guard(&mut env, |env| {
        let mut addresses = vec![0; channels.len(env)?];
        channels.get_region(env, 0, &mut addresses)?;
        let channels = addresses.into_iter().map(borrow::<Channel>).collect::<Result<Vec<_>>>()?;
        let queues = channels.iter().map(|channel| channel.queue.clone()).collect();
        let (builder, drivers) = read(Reader::new(all_bytes(env, &config)?), queues)?;
        let server = builder.start_blocking()?;
        // Shards beyond the channels are driven by their own threads.
        for (channel, driver) in channels.into_iter().zip(drivers) {
            channel.drive(driver);
        }
        Ok(give(Arc::new(server)))
    })
}

fn read(mut config: Reader, queues: Vec<Arc<Queue<Event>>>) -> Result<(ServerBuilder, Vec<Driver>)> {
    let mut builder = ServerBuilder::new(ServerConfig {
        listen: config.texts()?,
        registries: config.texts()?,
        metadata: config.pairs()?,
        options: config.pairs()?,
        threads: config.count()?,
    });
    let drivers = builder.drivers()?;
    let lanes = Arc::new(Lanes::new(queues, &drivers)?);
    for (number, (service, method)) in config.pairs()?.into_iter().enumerate() {
        builder = builder.method(&service, &method, lanes.handler(number as i32), MethodFlags::default());
    }
    for _ in 0..config.count()? {
        let [service, method, real_service, real_method] = [
            config.text()?.to_owned(),
            config.text()?.to_owned(),
            config.text()?.to_owned(),
            config.text()?.to_owned(),
        ];
        builder = builder.alias(&service, &method, &real_service, &real_method);
    }
    if config.u32()? != 0 {
        builder = builder.fallback(lanes.handler(FALLBACK));
    }
    if config.u32()? != 0 {
        // Seldom enough, and cached: the first way is for all.
        builder = builder.authenticator(move |request| lanes.queues[0].push(Event::Auth(request)));
    }
    Ok((builder, drivers))
}

/// `freeServer`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_freeServer<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
) {
    guard(&mut env, |_| {
        free::<Server>(server);
        Ok(())
    });
}

/// `serverAddresses`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_serverAddresses<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(borrow::<Server>(server)?.addresses()?.join("\n"))?))
}

/// `connections`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_connections<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
) -> JLongArray<'local> {
    guard(&mut env, |env| {
        let connections = borrow::<Server>(server)?.connections()?;
        let array = JLongArray::new(env, connections.len())?;
        let addresses: Vec<_> = connections.into_iter().map(|connection| give(Arc::new(connection))).collect();
        if let Err(error) = array.set_region(env, 0, &addresses) {
            addresses.into_iter().for_each(free::<Connection>);
            return Err(error.into());
        }
        Ok(array)
    })
}

/// `serverStats`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_serverStats<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(borrow::<Server>(server)?.stats_json()?)?))
}

/// `serverMetrics`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_serverMetrics<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
    name: JString<'local>,
) -> JString<'local> {
    guard(&mut env, |env| {
        let name = name.try_to_string(env)?;
        Ok(env.new_string(borrow::<Server>(server)?.metrics_text(&name)?)?)
    })
}

/// `setServerMetadata`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_setServerMetadata<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
    service: JString<'local>,
    text: JString<'local>,
) {
    guard(&mut env, |env| {
        let (service, text) = (service.try_to_string(env)?, text.try_to_string(env)?);
        Ok(borrow::<Server>(server)?.set_metadata(&service, &text)?)
    });
}

/// `closeServer`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_closeServer<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
) {
    guard(&mut env, |_| {
        borrow::<Server>(server)?.close();
        Ok(())
    });
}

/// `shutdownServer`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_shutdownServer<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    server: jlong,
    channel: jlong,
    millis: jlong,
    keep_registered: jboolean,
    ticket: jlong,
) {
    guard(&mut env, |_| {
        let queue = borrow::<Channel>(channel)?.queue.clone();
        let deadline = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        let done = move |result| queue.push(Event::Done(ticket as u64, result));
        borrow::<Server>(server)?.shutdown(deadline, keep_registered, done)?;
        Ok(())
    });
}

/// `about`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_about<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    request: jlong,
    what: jint,
) -> JString<'local> {
    guard(&mut env, |env| {
        let text = borrow::<Channel>(channel)?.requests().request(request as u64).map(|request| match what {
            ABOUT_TLS => request.tls_subject().unwrap_or_default().to_owned(),
            _ => request.peer().to_owned(),
        });
        Ok(match text {
            Some(text) => env.new_string(text)?,
            None => JString::default(),
        })
    })
}

/// `isCancelled`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_isCancelled<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    request: jlong,
) -> jboolean {
    guard(&mut env, |_| {
        let requests = borrow::<Channel>(channel)?.requests();
        Ok(requests.request(request as u64).is_some_and(Request::is_cancelled))
    })
}

/// `watch`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_watch<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    request: jlong,
) -> jboolean {
    guard(&mut env, |_| {
        let channel: &Channel = borrow(channel)?;
        let queue = channel.queue.clone();
        let number = request as u64;
        let requests = channel.requests();
        let Some(request) = requests.request(number) else { return Ok(false) };
        request.on_cancel(move || queue.push(Event::Cancelled(number)));
        Ok(true)
    })
}

/// `connection`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_connection<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    request: jlong,
) -> jlong {
    guard(&mut env, |_| {
        let connection = borrow::<Channel>(channel)?.requests().request(request as u64).map(Request::connection);
        Ok(connection.map_or(0, |connection| give(Arc::new(connection))))
    })
}

/// `push`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_push<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
    message: JByteArray<'local>,
) {
    guard(&mut env, |env| {
        let mut message = Reader::new(all_bytes(env, &message)?);
        let (service, method) = (message.text()?.to_owned(), message.text()?.to_owned());
        let metadata = message.metadata()?;
        Ok(borrow::<Connection>(connection)?.push(&service, &method, &metadata, &message.rest())?)
    });
}

/// `aboutConnection`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_aboutConnection<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
    _what: jint,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(borrow::<Connection>(connection)?.peer())?))
}

/// `connectionId`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_connectionId<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
) -> jlong {
    guard(&mut env, |_| Ok(borrow::<Connection>(connection)?.id() as jlong))
}

/// `isOpen`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_isOpen<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
) -> jboolean {
    guard(&mut env, |_| Ok(borrow::<Connection>(connection)?.is_open()))
}

/// `closeConnection`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_closeConnection<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
) {
    guard(&mut env, |_| {
        borrow::<Connection>(connection)?.close();
        Ok(())
    });
}

/// `freeConnection`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_freeConnection<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    connection: jlong,
) {
    guard(&mut env, |_| {
        free::<Connection>(connection);
        Ok(())
    });
}
