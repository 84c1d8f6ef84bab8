//! interceptor.
