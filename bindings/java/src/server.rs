//! Native methods of servers, their requests and connections.

use std::sync::Arc;
use std::time::Duration;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JLongArray, JString};
use jni::sys::{jboolean, jint, jlong};
use rpcx_embed::{Connection, Handler, MethodFlags, Queue, Request, Result, Server, ServerBuilder, ServerConfig};

use crate::channel::Channel;
use crate::event::{Event, FALLBACK};
use crate::guard::guard;
use crate::handle::{borrow, free, give};
use crate::library::all_bytes;
use crate::wire::Reader;

const ABOUT_TLS: jint = 1;

/// The ways to Java: a connection's requests always go the same one.
#[derive(Clone)]
struct Lanes(Arc<[Arc<Queue<Event>>]>);

impl Lanes {
    fn of(&self, request: &Request) -> &Arc<Queue<Event>> {
        if self.0.len() == 1 {
            return &self.0[0];
        }
        &self.0[(request.connection().id() % self.0.len() as u64) as usize]
    }

    fn handler(&self, method: i32) -> Arc<dyn Handler> {
        let lanes = self.clone();
        Arc::new(move |request: Request| lanes.of(&request).push(Event::Request(request, method)))
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
        let lanes: Result<Vec<_>> =
            addresses.into_iter().map(|address| Ok(borrow::<Channel>(address)?.queue.clone())).collect();
        let builder = read(Reader::new(all_bytes(env, &config)?), Lanes(lanes?.into()))?;
        Ok(give(Arc::new(builder.start_blocking()?)))
    })
}

fn read(mut config: Reader, lanes: Lanes) -> Result<ServerBuilder> {
    let mut builder = ServerBuilder::new(ServerConfig {
        listen: config.texts()?,
        registries: config.texts()?,
        metadata: config.pairs()?,
        options: config.pairs()?,
        threads: config.count()?,
    });
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
        builder = builder.authenticator(move |request| lanes.0[0].push(Event::Auth(request)));
    }
    Ok(builder)
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
