//! Native methods about the library as a whole, and those of channels.

use std::sync::Arc;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JObjectArray, JString};
use jni::sys::{jint, jlong};
use rpcx_embed::logs::{self, Level};
use rpcx_embed::{Bytes, Error, Reason, Result, runtime};

use crate::channel::Channel;
use crate::event::Event;
use crate::guard::{Outcome, guard};
use crate::handle::{borrow, free, give};
use crate::{command, poll};

/// `version`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_version<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(rpcx_embed::version())?))
}

/// `optionsJson`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_optionsJson<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(rpcx_embed::options_json())?))
}

/// `errorsJson`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_errorsJson<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> JString<'local> {
    guard(&mut env, |env| Ok(env.new_string(rpcx_embed::errors_json())?))
}

/// `configure`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_configure<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    threads: jint,
    name: JString<'local>,
) {
    guard(&mut env, |env| {
        let name = if name.is_null() { None } else { Some(name.try_to_string(env)?) };
        let threads = usize::try_from(threads)
            .map_err(|_| Error::new(Reason::ConfigBadArgument, format!("threads: {threads} is too few")))?;
        Ok(runtime::configure(Some(threads), name.as_deref())?)
    })
}

/// `openChannel`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_openChannel<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> jlong {
    guard(&mut env, |_| Ok(give(Arc::new(Channel::new()))))
}

/// `freeChannel`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_freeChannel<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
) {
    guard(&mut env, |_| {
        free::<Channel>(channel);
        Ok(())
    });
}

/// `endChannel`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_endChannel<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
) {
    guard(&mut env, |_| {
        borrow::<Channel>(channel)?.end();
        Ok(())
    });
}

/// `submit`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_submit<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    commands: JByteArray<'local>,
    used: jint,
) {
    guard(&mut env, |env| {
        let commands = bytes(env, &commands, used)?;
        Ok(command::submit(borrow(channel)?, commands)?)
    });
}

/// `poll`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_poll<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    commands: JByteArray<'local>,
    used: jint,
    events: JByteArray<'local>,
    large: JObjectArray<'local, JByteArray<'local>>,
) -> jint {
    guard(&mut env, |env| {
        let channel: &Channel = borrow(channel)?;
        let commands = if used > 0 { Some(bytes(env, &commands, used)?) } else { None };
        poll::poll(env, channel, commands, &events, &large)
    })
}

/// `logTo`
#[unsafe(no_mangle)]
extern "system" fn Java_io_github_librpcx_internal_Natives_logTo<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    channel: jlong,
    level: jint,
) {
    guard(&mut env, |_| {
        let queue = borrow::<Channel>(channel)?.queue.clone();
        logs::set(log_level(level)?, move |record| {
            queue.push(Event::Log(record.level, record.target.to_owned(), record.message.to_owned()));
        });
        Ok(())
    });
}

fn log_level(number: jint) -> Result<Level> {
    Ok(match number {
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        4 => Level::Debug,
        5 => Level::Trace,
        other => return Err(Error::new(Reason::ConfigBadArgument, format!("there is no level {other}"))),
    })
}

/// The first bytes of an array.
pub(crate) fn bytes(env: &jni::Env<'_>, array: &JByteArray<'_>, used: jint) -> Outcome<Bytes> {
    let mut bytes = vec![0i8; usize::try_from(used).unwrap_or_default()];
    array.get_region(env, 0, &mut bytes)?;
    // SAFETY: a vector of `i8` is one of `u8`: same size, same alignment, same length and capacity, and it is not used again.
    let bytes = unsafe {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Vec::from_raw_parts(bytes.as_mut_ptr().cast::<u8>(), bytes.len(), bytes.capacity())
    };
    Ok(Bytes::from(bytes))
}

/// All bytes of an array.
pub(crate) fn all_bytes(env: &jni::Env<'_>, array: &JByteArray<'_>) -> Outcome<Bytes> {
    let length = array.len(env)?;
    bytes(env, array, length as jint)
}
