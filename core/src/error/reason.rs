//! The table of reasons: each stable name with its kind, meaning, delivery states, retry rule and advice.
//!
//! A new reason is one entry here; `docs/ERRORS.md` and `tests/vectors/errors.json` follow by
//! `RPCX_BLESS=1 cargo test -p librpcx --test generated_docs`. Names are never changed and never reused.

use super::{Delivery, ErrorKind, Retry};
use std::fmt;

macro_rules! reasons {
    ($( $kind:ident { $(
        $(#[doc = $meaning:literal])+
        $reason:ident = $name:literal, [$($delivery:ident),+], $retry:ident, $advice:literal;
    )+ } )+) => {
        /// Why exactly something failed, within its [`ErrorKind`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $( $( $(#[doc = $meaning])+ $reason, )+ )+
        }

        impl Reason {
            /// Every reason, by kind.
            pub const ALL: &'static [Reason] = &[$( $( Reason::$reason, )+ )+];

            /// The stable name, `<kind>.<reason>`.
            pub const fn as_str(self) -> &'static str {
                match self { $( $( Self::$reason => $name, )+ )+ }
            }

            /// The kind it belongs to.
            pub const fn kind(self) -> ErrorKind {
                match self { $( $( Self::$reason )|+ => ErrorKind::$kind, )+ }
            }

            /// One line on what happened.
            pub fn meaning(self) -> &'static str {
                match self { $( $( Self::$reason => concat!($( $meaning ),+).trim_start(), )+ )+ }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $( $( Self::$reason => $advice, )+ )+ }
            }

            /// The delivery states it occurs with.
            pub const fn deliveries(self) -> &'static [Delivery] {
                match self { $( $( Self::$reason => &[$( Delivery::$delivery ),+], )+ )+ }
            }

            /// Whether another attempt may follow.
            pub const fn retry(self) -> Retry {
                match self { $( $( Self::$reason => Retry::$retry, )+ )+ }
            }
        }
    };
}

reasons! {
    Config {
        /// No option has this name.
        ConfigUnknownOption = "config.unknown_option", [NotSent], Never,
            "use a name from docs/CONFIGURATION.md";
        /// An option's value cannot be read, is out of its range, or does not fit the other options.
        ConfigBadValue = "config.bad_value", [NotSent], Never,
            "give a value the option allows";
        /// An address cannot be read.
        ConfigBadAddress = "config.bad_address", [NotSent], Never,
            "write it as network@host:port, such as tcp@127.0.0.1:8972";
        /// An address cannot be listened on.
        ConfigListen = "config.listen", [NotSent], Never,
            "free the address, or listen on another one";
        /// No discovery or transport is known for the scheme of an address or URL.
        ConfigUnknownScheme = "config.unknown_scheme", [NotSent], Never,
            "correct the scheme, or build with the feature that brings it";
        /// An argument of a call or of a builder is not acceptable.
        ConfigBadArgument = "config.bad_argument", [NotSent], Never,
            "correct the argument";
        /// A certificate, key or authority cannot be read or does not fit.
        ConfigTls = "config.tls", [NotSent], Never,
            "check the files that the tls options name";
    }
    Connect {
        /// The server's address refused the connection.
        ConnectRefused = "connect.refused", [NotSent], ByDelivery,
            "check that the server runs and the address is right";
        /// No connection was open within `connect_timeout`.
        ConnectTimeout = "connect.timeout", [NotSent], ByDelivery,
            "check the network, or raise connect_timeout";
        /// The TLS handshake failed.
        ConnectTls = "connect.tls", [NotSent], ByDelivery,
            "check certificate, authority and server name on both sides";
        /// The host name could not be resolved.
        ConnectResolve = "connect.resolve", [NotSent], ByDelivery,
            "check the host name and the resolver";
        /// A handshake on an accepted connection failed: that of a transport of your own, or a client's that was not
        /// complete within the server's `handshake_timeout`.
        ConnectHandshake = "connect.handshake", [NotSent], ByDelivery,
            "check that both sides use the same transport on this port";
        /// The operating system refused the connection for another cause; the text has it.
        ConnectOther = "connect.other", [NotSent], ByDelivery,
            "see the cause in the text";
    }
    NoServer {
        /// Discovery knows no server for the service.
        NoServerEmpty = "no_server.empty", [NotSent], Never,
            "start a server, or check the service name and the registry";
        /// Discovery knows servers, but group, state, weight, position or target leave none of them.
        NoServerNoneEligible = "no_server.none_eligible", [NotSent], Never,
            "compare the nodes' metadata with the client's options";
        /// Discovery gave no first answer within `discovery_timeout`.
        NoServerDiscoveryTimeout = "no_server.discovery_timeout", [NotSent], Never,
            "check the registry's address and state";
        /// The circuit breaker keeps calls away from the server.
        NoServerBreakerOpen = "no_server.breaker_open", [NotSent], ByDelivery,
            "wait until the breaker probes the server again, and look at why it failed";
    }
    Timeout {
        /// No answer came before the call's deadline.
        TimeoutCall = "timeout.call", [NotSent, MaybeRun], Never,
            "raise timeout, or look at what holds the server up";
        /// The deadline passed while the request waited to be written.
        TimeoutQueued = "timeout.queued", [NotSent], Never,
            "send less at once, or add connections or servers";
        /// The server answered that the time was used up.
        TimeoutServer = "timeout.server", [Answered], Never,
            "raise timeout, or look at what holds the server up";
    }
    Service {
        /// The service answered with an error.
        ServiceError = "service.error", [Answered], Never,
            "read the service's text";
        /// The server has no service of this name.
        ServiceUnknownService = "service.unknown_service", [Answered], Never,
            "check the service name and what the server registers";
        /// The service has no method of this name.
        ServiceUnknownMethod = "service.unknown_method", [Answered], Never,
            "check the method name, upper and lower case too";
        /// The handler panicked.
        ServicePanic = "service.panic", [Answered], Never,
            "see the server's log";
    }
    Cancelled {
        /// The caller gave the call up.
        CancelledCaller = "cancelled.caller", [NotSent, MaybeRun], Never,
            "nothing: it was asked for";
        /// The server stopped the handler: its caller cancelled or is gone, or its deadline passed.
        CancelledServer = "cancelled.server", [Answered], Never,
            "end the handler's work";
    }
    Overload {
        /// The queue of unsent requests is full.
        OverloadQueue = "overload.queue", [NotSent], ByDelivery,
            "send less at once, or raise max_queued_requests or max_queued_bytes";
        /// The connection has `max_in_flight` calls pending.
        OverloadInFlight = "overload.in_flight", [NotSent, Answered], ByDelivery,
            "send less at once, add connections, or raise max_in_flight";
        /// A rate limit refused the call.
        OverloadRate = "overload.rate", [NotSent, Answered], ByDelivery,
            "call less often, or raise the rate limit";
        /// The server answered that it is overloaded.
        OverloadServer = "overload.server", [Answered], ByDelivery,
            "call less often, or add servers";
        /// All workers for blocking handlers are busy and their queue is full.
        OverloadWorkers = "overload.workers", [NotSent, Answered], ByDelivery,
            "raise worker_threads or worker_queue, or make the handler asynchronous";
    }
    Protocol {
        /// A frame's lengths contradict each other.
        ProtocolFrame = "protocol.frame", [NotSent, MaybeRun], ByDelivery,
            "check that the peer speaks rpcx on this port";
        /// A frame does not begin with rpcx's magic number.
        ProtocolMagic = "protocol.magic", [NotSent, MaybeRun], ByDelivery,
            "check that the peer speaks rpcx on this port, with or without TLS as configured";
        /// A frame's metadata cannot be read.
        ProtocolMetadata = "protocol.metadata", [Answered], Never,
            "report it to the peer's authors";
        /// A payload cannot be decompressed.
        ProtocolCompress = "protocol.compress", [Answered], Never,
            "check that both sides give the compress type the same number";
    }
    Codec {
        /// The arguments could not be encoded.
        CodecEncode = "codec.encode", [NotSent], Never,
            "check that the arguments fit the serialize type";
        /// The reply could not be decoded.
        CodecDecode = "codec.decode", [Answered], Never,
            "check that both sides agree on the type";
        /// The server could not decode the arguments or encode the reply.
        CodecServer = "codec.server", [Answered], Never,
            "check that both sides agree on the type";
        /// The method does not speak this serialize type.
        CodecUnsupported = "codec.unsupported", [NotSent, Answered], Never,
            "choose a serialize_type that the method speaks";
    }
    Limit {
        /// A message is larger than `max_message_size`.
        LimitMaxMessageSize = "limit.max_message_size", [NotSent, Answered], Never,
            "send less, or raise max_message_size on both sides";
        /// A payload is larger than `max_decompressed_size` when decompressed.
        LimitMaxDecompressedSize = "limit.max_decompressed_size", [NotSent, Answered], Never,
            "send less, or raise max_decompressed_size on both sides";
        /// The metadata of a message is larger than `max_metadata_size`.
        LimitMaxMetadataSize = "limit.max_metadata_size", [NotSent, Answered], Never,
            "send less metadata, or raise max_metadata_size on both sides";
        /// A message has more metadata pairs than `max_metadata_pairs`.
        LimitMaxMetadataPairs = "limit.max_metadata_pairs", [NotSent, Answered], Never,
            "send fewer pairs, or raise max_metadata_pairs on both sides";
        /// The server has `max_connections` connections.
        LimitMaxConnections = "limit.max_connections", [NotSent], Never,
            "close what is idle, or raise max_connections";
        /// `push_queue` pushes wait for the connection.
        LimitMaxPushes = "limit.max_pushes", [NotSent], Never,
            "push less often, or raise push_queue";
        /// The server answered that one of its limits was exceeded; the text names it.
        LimitServer = "limit.server", [Answered], Never,
            "stay within the limit that the text names, or raise it on the server";
    }
    Auth {
        /// The server did not accept the caller's token.
        AuthRefused = "auth.refused", [Answered], Never,
            "set the option auth to a token that the server accepts";
    }
    Closed {
        /// This side closed the client, the server or the connection.
        ClosedLocal = "closed.local", [NotSent, MaybeRun], Never,
            "make a new client";
        /// The peer closed the connection.
        ClosedRemote = "closed.remote", [NotSent, MaybeRun], ByDelivery,
            "mark the call idempotent if it may run twice, so that it is sent again";
        /// The connection was reset or broke.
        ClosedReset = "closed.reset", [NotSent, MaybeRun], ByDelivery,
            "mark the call idempotent if it may run twice, so that it is sent again";
        /// Nothing came for `heartbeat_timeout`.
        ClosedHeartbeat = "closed.heartbeat", [NotSent, MaybeRun], ByDelivery,
            "check the network and the server's host";
        /// Calls were pending and nothing came for twice `stuck_timeout`.
        ClosedStuck = "closed.stuck", [NotSent, MaybeRun], ByDelivery,
            "check the network and whether the server still runs";
        /// The connection was idle for `idle_timeout`.
        ClosedIdle = "closed.idle", [NotSent, MaybeRun], ByDelivery,
            "nothing: the next call opens a new connection";
        /// The connection was drained because its server shuts down or too many slots linger.
        ClosedDrained = "closed.drained", [NotSent, MaybeRun], ByDelivery,
            "nothing: the next call opens a new connection";
        /// The peer took no bytes for `write_timeout`.
        ClosedWriteTimeout = "closed.write_timeout", [NotSent, MaybeRun], ByDelivery,
            "check why the peer does not read";
        /// A peer's protocol error ended the connection.
        ClosedProtocol = "closed.protocol", [NotSent, MaybeRun], ByDelivery,
            "check that the peer speaks rpcx on this port";
        /// The handle was made before the process forked.
        ClosedFork = "closed.fork", [NotSent], Never,
            "make clients and servers after the fork";
    }
    ShuttingDown {
        /// The server is shutting down and takes no new calls.
        ShuttingDownServer = "shutting_down.server", [Answered], ByDelivery,
            "call another server";
    }
    Unsupported {
        /// This build has no codec for the serialize type.
        UnsupportedCodec = "unsupported.codec", [NotSent, Answered], Never,
            "build with the codec's feature, or register a codec";
        /// This build has no compressor for the compress type.
        UnsupportedCompress = "unsupported.compress", [NotSent, Answered], Never,
            "build with the compressor's feature, or register a compressor";
        /// The peer did not say that it can do this.
        UnsupportedFeature = "unsupported.feature", [NotSent], Never,
            "do without, or update the peer";
        /// This build or system has no such transport.
        UnsupportedTransport = "unsupported.transport", [NotSent], Never,
            "use another transport, or build with its feature";
        /// This build lacks a part that an option asks for.
        UnsupportedBuild = "unsupported.build", [NotSent], Never,
            "build with the feature that the text names";
    }
    Internal {
        /// Code of this library panicked.
        InternalPanic = "internal.panic", [NotSent, MaybeRun], Never,
            "report it with the log";
        /// The system gave no thread, descriptor or other resource that was needed.
        InternalSystem = "internal.system", [NotSent], Never,
            "see the cause in the text; the system may be out of threads, descriptors or memory";
        /// An invariant of this library is broken.
        InternalBug = "internal.bug", [NotSent, MaybeRun], Never,
            "report it with the log";
    }
}

impl Reason {
    /// The reason with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }

    /// The reason of an answer that carried the number of a kind; `None` for a kind that no peer may claim.
    pub const fn from_peer_code(code: u32) -> Option<Self> {
        match ErrorKind::from_code(code) {
            Some(ErrorKind::Timeout) => Some(Self::TimeoutServer),
            Some(ErrorKind::Overload) => Some(Self::OverloadServer),
            Some(ErrorKind::Codec) => Some(Self::CodecServer),
            Some(ErrorKind::Limit) => Some(Self::LimitServer),
            Some(ErrorKind::Auth) => Some(Self::AuthRefused),
            Some(ErrorKind::ShuttingDown) => Some(Self::ShuttingDownServer),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
