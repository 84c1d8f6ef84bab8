//! Statistics as Prometheus reads them: its text exposition format, version 0.0.4.
//!
//! The table [`METRICS`] has every metric's name, type, labels and meaning; `docs/METRICS.md` is generated from it, and a
//! metric that is not in it cannot be written.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::histogram::BOUNDS;
use super::snapshot::{ClientStats, MethodStats, ServerStats};

/// What the HTTP header `Content-Type` of the text is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric as documents and tools show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricRow {
    /// The name, with its unit; it never changes.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels, beside `name`.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics {
    ($( $name:literal $kind:ident [$($label:literal),*] $help:literal; )+) => {
        /// Every metric, in the order in which it is written.
        pub const METRICS: &[MetricRow] = &[$( MetricRow {
            name: $name,
            kind: stringify!($kind),
            labels: &[$($label),*],
            help: $help,
        }, )+];
    };
}

metrics! {
    "rpcx_client_calls_total" counter ["service", "method"] "Calls begun, oneway ones too; a call with retries is one.";
    "rpcx_client_errors_total" counter ["kind", "reason"] "Failed calls.";
    "rpcx_client_method_errors_total" counter ["service", "method"] "Failed calls of each method.";
    "rpcx_client_retries_total" counter ["service", "method"] "Attempts after the first.";
    "rpcx_client_call_duration_seconds" histogram ["service", "method"] "Time from a call to its answer, of calls that the service answered.";
    "rpcx_client_in_flight" gauge [] "Calls that wait for their answers.";
    "rpcx_client_nodes" gauge ["service"] "Servers that discovery has listed, those that get no calls too.";
    "rpcx_client_discovery_stale_seconds" gauge ["service"] "How long the registry has not confirmed that list; 0 while it does.";
    "rpcx_client_connections_opened_total" counter [] "Connections opened.";
    "rpcx_client_connections_failed_total" counter [] "Connections that could not be opened.";
    "rpcx_client_connections_closed_total" counter [] "Connections that were open and have ended.";
    "rpcx_client_connections" gauge [] "Open connections.";
    "rpcx_client_read_bytes_total" counter [] "Bytes read.";
    "rpcx_client_written_bytes_total" counter [] "Bytes written.";
    "rpcx_client_reads_total" counter [] "Reads that brought bytes.";
    "rpcx_client_writes_total" counter [] "Writes that took bytes.";
    "rpcx_client_pushes_total" counter [] "Server pushes that came.";
    "rpcx_client_pushes_dropped_total" counter [] "Server pushes that were dropped because a queue was full.";
    "rpcx_server_calls_total" counter ["service", "method"] "Calls of handlers that ended, in whatever way.";
    "rpcx_server_errors_total" counter ["kind", "reason"] "Errors answered; kind service for those of handlers.";
    "rpcx_server_method_errors_total" counter ["service", "method"] "Handlers of each method that failed.";
    "rpcx_server_cancelled_total" counter ["service", "method"] "Handlers that were stopped early.";
    "rpcx_server_panics_total" counter ["service", "method"] "Handlers that panicked.";
    "rpcx_server_handler_duration_seconds" histogram ["service", "method"] "Time of handlers that ended by themselves.";
    "rpcx_server_in_flight" gauge [] "Requests whose handlers run.";
    "rpcx_server_connections_opened_total" counter [] "Connections opened.";
    "rpcx_server_connections_failed_total" counter [] "Connections that were refused or whose handshake failed.";
    "rpcx_server_connections_refused_total" counter ["rule"] "Connections closed without a byte, by the option that asked for it.";
    "rpcx_server_connections_closed_total" counter [] "Connections that were open and have ended.";
    "rpcx_server_connections" gauge [] "Open connections.";
    "rpcx_server_read_bytes_total" counter [] "Bytes read.";
    "rpcx_server_written_bytes_total" counter [] "Bytes written.";
    "rpcx_server_reads_total" counter [] "Reads that brought bytes.";
    "rpcx_server_writes_total" counter [] "Writes that took bytes.";
    "rpcx_server_pushes_total" counter [] "Pushes sent to clients.";
    "rpcx_server_pushes_dropped_total" counter [] "Pushes refused because too many waited.";
}

/// Collects the statistics of clients and servers of a process, for one answer to a scrape.
///
/// Several of them are told apart by the label `name`; an empty name is left out.
///
/// ```no_run
/// # fn example(server: &rpcx::Server, orders: &rpcx::Client) -> String {
/// rpcx::stats::Exposition::new().server("", &server.stats()).client("orders", &orders.stats()).render()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Exposition {
    /// The samples of each row of [`METRICS`].
    samples: Vec<String>,
}

impl Default for Exposition {
    fn default() -> Self {
        Exposition { samples: vec![String::new(); METRICS.len()] }
    }
}

impl Exposition {
    /// Nothing yet.
    pub fn new() -> Exposition {
        Exposition::default()
    }

    /// Adds a client. Two of the same name cannot be told apart, which Prometheus refuses.
    #[must_use]
    pub fn client(mut self, name: &str, stats: &ClientStats) -> Exposition {
        let mut out = Samples { of: &mut self.samples, prefix: "rpcx_client_", name };
        for method in &stats.methods {
            let labels = [("service", method.service.as_str()), ("method", method.method.as_str())];
            out.value("calls_total", &labels, method.calls);
            out.value("method_errors_total", &labels, method.errors);
            out.value("retries_total", &labels, method.retries);
            out.histogram("call_duration_seconds", &labels, method);
        }
        for (reason, count) in stats.errors.iter().filter(|(_, count)| *count > 0) {
            out.value("errors_total", &[("kind", reason.kind().as_str()), ("reason", reason.as_str())], count);
        }
        out.value("in_flight", &[], stats.in_flight);
        for service in &stats.services {
            let labels = [("service", service.service.as_str())];
            out.value("nodes", &labels, service.nodes);
            out.sample("discovery_stale_seconds", "", &labels, service.stale_ms.unwrap_or_default() as f64 / 1e3);
        }
        out.value("connections_opened_total", &[], stats.connections.opened);
        out.value("connections_failed_total", &[], stats.connections.failed);
        out.value("connections_closed_total", &[], stats.connections.closed);
        out.value("connections", &[], stats.connections.open);
        out.value("read_bytes_total", &[], stats.traffic.bytes_in);
        out.value("written_bytes_total", &[], stats.traffic.bytes_out);
        out.value("reads_total", &[], stats.traffic.reads);
        out.value("writes_total", &[], stats.traffic.writes);
        out.value("pushes_total", &[], stats.pushes.count);
        out.value("pushes_dropped_total", &[], stats.pushes.dropped);
        self
    }

    /// Adds a server. Two of the same name cannot be told apart, which Prometheus refuses.
    #[must_use]
    pub fn server(mut self, name: &str, stats: &ServerStats) -> Exposition {
        let mut out = Samples { of: &mut self.samples, prefix: "rpcx_server_", name };
        for method in &stats.methods {
            let labels = [("service", method.service.as_str()), ("method", method.method.as_str())];
            out.value("calls_total", &labels, method.calls);
            out.value("method_errors_total", &labels, method.errors);
            out.value("cancelled_total", &labels, method.cancelled);
            out.value("panics_total", &labels, method.panics);
            out.histogram("handler_duration_seconds", &labels, method);
        }
        for (reason, count) in stats.errors.iter().filter(|(_, count)| *count > 0) {
            out.value("errors_total", &[("kind", reason.kind().as_str()), ("reason", reason.as_str())], count);
        }
        out.value("in_flight", &[], stats.in_flight);
        out.value("connections_opened_total", &[], stats.connections.opened);
        out.value("connections_failed_total", &[], stats.connections.failed);
        out.value("connections_refused_total", &[("rule", "access_list")], stats.refused.access_list);
        out.value("connections_refused_total", &[("rule", "rate_limit")], stats.refused.rate_limit);
        out.value("connections_refused_total", &[("rule", "max_connections")], stats.refused.max_connections);
        out.value("connections_closed_total", &[], stats.connections.closed);
        out.value("connections", &[], stats.connections.open);
        out.value("read_bytes_total", &[], stats.traffic.bytes_in);
        out.value("written_bytes_total", &[], stats.traffic.bytes_out);
        out.value("reads_total", &[], stats.traffic.reads);
        out.value("writes_total", &[], stats.traffic.writes);
        out.value("pushes_total", &[], stats.pushes.count);
        out.value("pushes_dropped_total", &[], stats.pushes.dropped);
        self
    }

    /// The text. Metrics without a sample are left out.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (row, samples) in METRICS.iter().zip(&self.samples).filter(|(_, samples)| !samples.is_empty()) {
            let help = Escaped { text: row.help, quotes: false };
            // Writing to a string cannot fail.
            let _ = write!(out, "# HELP {} {help}\n# TYPE {} {}\n{samples}", row.name, row.name, row.kind);
        }
        out
    }
}

impl ClientStats {
    /// As Prometheus reads it; [`Exposition`] puts several together.
    pub fn render(&self) -> String {
        Exposition::new().client("", self).render()
    }
}

impl ServerStats {
    /// As Prometheus reads it; [`Exposition`] puts several together.
    pub fn render(&self) -> String {
        Exposition::new().server("", self).render()
    }
}

/// Where the samples of one client or server go.
struct Samples<'a> {
    of: &'a mut [String],
    prefix: &'static str,
    name: &'a str,
}

impl Samples<'_> {
    fn value(&mut self, metric: &str, labels: &[(&str, &str)], value: u64) {
        self.sample(metric, "", labels, value);
    }

    fn histogram(&mut self, metric: &str, labels: &[(&str, &str)], method: &MethodStats) {
        let finite = BOUNDS.iter().zip(method.latency.buckets);
        let buckets = finite.map(|(bound, count)| (bound.as_secs_f64().to_string(), count));
        for (bound, count) in buckets.chain([("+Inf".to_owned(), method.latency.count)]) {
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(metric, "_bucket", &with_bound, count);
        }
        let sum = method.latency.mean_us * method.latency.count as f64 / 1e6;
        self.sample(metric, "_sum", labels, sum);
        self.sample(metric, "_count", labels, method.latency.count);
    }

    fn sample(&mut self, metric: &str, suffix: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let known = METRICS.iter().position(|row| row.name.strip_prefix(self.prefix) == Some(metric));
        let Some(known) = known else {
            debug_assert!(false, "{}{metric} is not in the table of metrics", self.prefix);
            return;
        };
        let out = &mut self.of[known];
        out.push_str(METRICS[known].name);
        out.push_str(suffix);
        let name = (!self.name.is_empty()).then_some(("name", self.name));
        for (i, (label, text)) in name.iter().chain(labels).enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let _ = write!(out, "{before}{label}=\"{}\"", Escaped { text, quotes: true });
        }
        if name.is_some() || !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }
}

/// Text as the format wants it: in a label quotes are escaped too.
struct Escaped<'a> {
    text: &'a str,
    quotes: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Cow::Borrowed(self.text);
        if text.contains(['\\', '\n', '"']) {
            text = text.replace('\\', "\\\\").replace('\n', "\\n").into();
            if self.quotes {
                text = text.replace('"', "\\\"").into();
            }
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;
    use crate::stats::{ClientRecorder, QueueTotals, Refusal, ServerRecorder};
    use std::collections::HashSet;
    use std::time::Duration;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut seen = HashSet::new();
        for row in METRICS {
            assert!(seen.insert(row.name), "{} twice", row.name);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", row.name);
            assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{}", row.name);
            assert_eq!(row.kind == "histogram", row.name.ends_with("_seconds"), "{}", row.name);
            assert!(row.help.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn a_server_is_written_with_every_metric_of_its_own() {
        let recorder = ServerRecorder::default();
        recorder.method("Arith", "Mul").finished(false, Duration::from_millis(3));
        recorder.method("Arith", "Mul").finished(true, Duration::from_secs(20));
        recorder.refused_connection(Refusal::RateLimit);
        recorder.refused(Reason::OverloadRate);
        let text = recorder.snapshot(7, QueueTotals::default()).render();
        for line in [
            "# TYPE rpcx_server_calls_total counter",
            "rpcx_server_calls_total{service=\"Arith\",method=\"Mul\"} 2",
            "rpcx_server_errors_total{kind=\"overload\",reason=\"overload.rate\"} 1",
            "rpcx_server_errors_total{kind=\"service\",reason=\"service.error\"} 1",
            "rpcx_server_connections_refused_total{rule=\"rate_limit\"} 1",
            "rpcx_server_in_flight 7",
            "rpcx_server_handler_duration_seconds_bucket{service=\"Arith\",method=\"Mul\",le=\"0.0025\"} 0",
            "rpcx_server_handler_duration_seconds_bucket{service=\"Arith\",method=\"Mul\",le=\"0.005\"} 1",
            "rpcx_server_handler_duration_seconds_bucket{service=\"Arith\",method=\"Mul\",le=\"10\"} 1",
            "rpcx_server_handler_duration_seconds_bucket{service=\"Arith\",method=\"Mul\",le=\"+Inf\"} 2",
            "rpcx_server_handler_duration_seconds_count{service=\"Arith\",method=\"Mul\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for row in METRICS {
            let header = format!("# TYPE {} {}\n", row.name, row.kind);
            assert_eq!(text.contains(&header), row.name.starts_with("rpcx_server_"), "{}", row.name);
        }
    }

    #[test]
    fn a_family_stays_together_however_many_there_are() {
        let (one, two) = (ClientRecorder::default(), ClientRecorder::default());
        one.method("A", "B").began();
        two.method("A", "B").retried();
        let text = Exposition::new()
            .client("one", &one.snapshot(0, QueueTotals::default()))
            .client("two", &two.snapshot(0, QueueTotals::default()))
            .render();
        let headers: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(headers.len(), headers.iter().collect::<HashSet<_>>().len());
        assert!(text.contains("rpcx_client_calls_total{name=\"one\",service=\"A\",method=\"B\"} 1\n"));
        assert!(text.contains("rpcx_client_retries_total{name=\"two\",service=\"A\",method=\"B\"} 1\n"));
    }

    #[test]
    fn odd_names_are_escaped() {
        let recorder = ClientRecorder::default();
        recorder.method("a\"b\\c\nd", "é{},").began();
        let text = recorder.snapshot(0, QueueTotals::default()).render();
        assert!(text.contains(r#"{service="a\"b\\c\nd",method="é{},"} 1"#), "{text}");
    }
}
