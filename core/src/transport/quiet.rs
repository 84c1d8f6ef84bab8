//! Writes to sockets that raise no SIGPIPE when the peer has gone: a program in another language has not asked to ignore that
//! signal, as Rust's programs do, and would end. What the standard library writes at once, to TCP, it sends so itself.

use socket2::SockRef;
use std::ffi::c_int;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

/// `MSG_NOSIGNAL`. Elsewhere the socket itself is told, by the system or not at all.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FLAGS: c_int = 0x4000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const FLAGS: c_int = 0;

/// The most pieces that systems take at once.
const PIECES: usize = 1024;

pub(super) fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(socket).send_with_flags(bytes, FLAGS)
}

pub(super) fn send_vectored(socket: &impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(socket).send_vectored_with_flags(&pieces[..pieces.len().min(PIECES)], FLAGS)
}
