//! The kinds of errors with their numbers, the delivery states, and the rule by which a failed attempt is tried again.

use std::fmt;

macro_rules! kinds {
    ($( $(#[doc = $meaning:literal])+ $kind:ident = $code:literal, $name:literal; )+) => {
        /// What went wrong, in the terms a caller decides by.
        ///
        /// The numbers are part of the ABI and of the wire: never changed, never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum ErrorKind {
            $( $(#[doc = $meaning])+ $kind = $code, )+
        }

        impl ErrorKind {
            /// Every kind, by number.
            pub const ALL: &'static [ErrorKind] = &[$( ErrorKind::$kind, )+];

            /// The name in snake_case, as configuration, logs and other languages spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$kind => $name, )+ }
            }

            /// The kind with this number, if there is one.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code { $( $code => Some(Self::$kind), )+ _ => None }
            }

            /// One line on what the kind stands for.
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$kind => concat!($( $meaning ),+).trim_start(), )+ }
            }
        }
    };
}

kinds! {
    /// An argument or option is not acceptable; the text names it and what is allowed.
    Config = 1, "config";
    /// No connection could be opened.
    Connect = 2, "connect";
    /// Discovery or the selector had no server to offer.
    NoServer = 3, "no_server";
    /// The deadline of the call passed.
    Timeout = 4, "timeout";
    /// The service itself answered with an error; the text is its own.
    Service = 5, "service";
    /// The call was given up before its answer came.
    Cancelled = 6, "cancelled";
    /// Refused because too much is waiting or running.
    Overload = 7, "overload";
    /// Bytes on the connection are not what the protocol allows.
    Protocol = 8, "protocol";
    /// Arguments or a reply could not be encoded or decoded.
    Codec = 9, "codec";
    /// A size or count is above a configured limit; the text names the limit.
    Limit = 10, "limit";
    /// The server did not accept the caller's token.
    Auth = 11, "auth";
    /// The connection, or the client, ended before the answer came.
    Closed = 12, "closed";
    /// The server is going away and takes no new calls.
    ShuttingDown = 13, "shutting_down";
    /// This build or this peer cannot do what was asked.
    Unsupported = 14, "unsupported";
    /// A panic or a broken invariant of this library: please report it.
    Internal = 99, "internal";
}

impl ErrorKind {
    /// The number, the same in every language and version.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Whether a server tells this kind to a peer that understands error codes.
    ///
    /// Only for what the server itself decided; what a service said, and every other kind, travels as text alone.
    pub const fn travels(self) -> bool {
        matches!(self, Self::Timeout | Self::Overload | Self::Codec | Self::Limit | Self::Auth | Self::ShuttingDown)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a failed call got: what a retry is allowed to assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// No complete request left this process for the server: no handler can have run.
    NotSent,
    /// The request may have arrived, and a handler may have run or still be running.
    MaybeRun,
    /// The server answered; the answer, or what was made of it, is this error.
    Answered,
}

impl Delivery {
    /// Every state.
    pub const ALL: &'static [Delivery] = &[Delivery::NotSent, Delivery::MaybeRun, Delivery::Answered];

    /// The name in snake_case, as logs and other languages spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::MaybeRun => "maybe_run",
            Self::Answered => "answered",
        }
    }

    /// One line on what the state promises.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotSent => "no complete request left for the server: no handler can have run",
            Self::MaybeRun => "the request may have arrived: a handler may have run, or may still run",
            Self::Answered => "the server answered, and the error is that answer or what was made of it",
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an attempt that failed for a [`Reason`](super::Reason) may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Another attempt would fail alike, or the caller no longer waits.
    Never,
    /// After `not_sent`, or an answer that no handler was started: yes. After `maybe_run`: idempotent calls only. After
    /// any other answer: no.
    ByDelivery,
}

impl Retry {
    /// Every rule.
    pub const ALL: &'static [Retry] = &[Retry::Never, Retry::ByDelivery];

    /// The name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::ByDelivery => "by_delivery",
        }
    }
}
