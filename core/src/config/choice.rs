//! Options with a few named values: fail mode, select mode and the policies of full queues.

use super::value::{OptionValue, Value};
use std::fmt;
use std::str::FromStr;

macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        $Choice:ident { $( $(#[doc = $meaning:literal])+ $value:ident = $name:literal, )+ }
    )+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $Choice {
            $( $(#[doc = $meaning])+ $value, )+
        }

        impl $Choice {
            /// Every value.
            pub const ALL: &'static [Self] = &[$( Self::$value, )+];

            /// The name in snake_case, as options spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$value => $name, )+ }
            }

            /// What the value stands for.
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$value => concat!($( $meaning ),+).trim_start(), )+ }
            }
        }

        impl fmt::Display for $Choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $Choice {
            type Err = String;

            /// Reads the name; the error lists those there are.
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or_else(|| format!("expected one of {}", Self::choices().join(", ")))
            }
        }

        impl OptionValue for $Choice {
            const TYPE: &'static str = "choice";

            fn parse(text: &str) -> Result<Self, String> {
                text.parse()
            }

            fn value(&self) -> Value {
                Value::Text(self.as_str().to_owned())
            }

            fn choices() -> &'static [&'static str] {
                &[$( $name ),+]
            }
        }
    )+ };
}

choices! {
    /// What a client does when an attempt fails in a way that allows another.
    FailMode {
        /// Tries another server, up to `retries` more times.
        Failover = "failover",
        /// Returns the error.
        Failfast = "failfast",
        /// Tries the same server again, up to `retries` more times.
        Failtry = "failtry",
        /// Sends an idempotent call to a second server when the first has not answered within `backup_latency`; the
        /// first good answer wins.
        Failbackup = "failbackup",
    }

    /// How a client selects the server of a call.
    SelectMode {
        /// Each with the same chance.
        Random = "random",
        /// In turn.
        RoundRobin = "round_robin",
        /// In turn, in proportion to `weight` in the node's metadata (default 1; 0: never).
        WeightedRoundRobin = "weighted_round_robin",
        /// In proportion to a weight that falls with the round-trip time to the server.
        WeightedIcmp = "weighted_icmp",
        /// By `hash_key`, else by service, method and payload: the same key, the same server.
        ConsistentHash = "consistent_hash",
        /// The nearest by `latitude` and `longitude` of client and node.
        Closest = "closest",
        /// The better of two picked at random, by calls in flight and average latency.
        LeastLoaded = "least_loaded",
    }

    /// What happens to a server push when the client's queue of pushes is full. Each loss is counted.
    PushOverflow {
        /// The push that comes is dropped.
        DropNewest = "drop_newest",
        /// The push that waits longest is dropped.
        DropOldest = "drop_oldest",
        /// The connection is not read until there is room: answers wait too.
        Block = "block",
    }

    /// What a server does with requests beyond its in-flight limits.
    InFlightPolicy {
        /// It reads no further until a handler ends, so that the clients' own queues fill.
        Backpressure = "backpressure",
        /// It answers `overload` at once, without starting a handler.
        Reject = "reject",
    }

    /// What becomes of connections and requests above a rate limit.
    LimitPolicy {
        /// Connections are closed without a byte, requests answered `overload`: no handler is started.
        Reject = "reject",
        /// They wait until the rate allows them; a request whose deadline would pass meanwhile is answered `overload`.
        Block = "block",
    }
}
