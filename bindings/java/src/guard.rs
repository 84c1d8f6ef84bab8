//! The boundary around every native method: an error becomes an exception, and so does a panic.

use std::any::Any;

use jni::errors::ErrorPolicy;
use jni::strings::JNIString;
use jni::{Env, EnvUnowned, jni_str};
use rpcx_embed::{Error, Reason};

use crate::wire;

/// Why a native method failed.
pub(crate) enum Failure {
    /// The library's word.
    Rpcx(Error),
    /// The JVM's.
    Jni(jni::errors::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Rpcx(error)
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Failure {
        Failure::Jni(error)
    }
}

/// The result of the body of a native method.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Runs the body of a native method.
pub(crate) fn guard<'local, T, F>(env: &mut EnvUnowned<'local>, body: F) -> T
where
    T: Default,
    F: FnOnce(&mut Env<'local>) -> Outcome<T>,
{
    env.with_env(body).resolve::<Throw>()
}

/// Throws `NativeFailure` and returns the default, which Java never sees.
struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        error: Failure,
    ) -> jni::errors::Result<T> {
        match error {
            // An exception is on its way already.
            Failure::Jni(jni::errors::Error::JavaException) => Ok(T::default()),
            Failure::Jni(error) => throw(env, &Error::new(Reason::InternalBug, error.to_string())),
            Failure::Rpcx(error) => throw(env, &error),
        }
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        panic: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        throw(env, &Error::new(Reason::InternalPanic, format!("a panic in the native library: {text}")))
    }
}

fn throw<T: Default>(env: &mut Env<'_>, error: &Error) -> jni::errors::Result<T> {
    let text = format!(
        "{}\n{}\n{}\n{}\n{}",
        error.reason().as_str(),
        wire::delivery(error.delivery()),
        error.attempts(),
        error.server().unwrap_or_default(),
        error.message(),
    );
    let class = jni_str!("io/github/librpcx/internal/NativeFailure");
    match env.throw_new(class, JNIString::from(text)) {
        Err(jni::errors::Error::JavaException) | Ok(()) => Ok(T::default()),
        Err(other) => Err(other),
    }
}
