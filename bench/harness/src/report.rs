//! Times a run (warm-up, window, stop), reads CPU and memory of both processes, and prints the one JSON line that the
//! driver reads.

use crate::process::{cpu_us, peak_rss_mib};
use crate::{Opts, recorder};
use std::process::ExitCode;
use std::time::Instant;

/// Sleeps through warm-up and window while the callers run, then prints the report as the last line of standard output.
///
/// Times are in microseconds, memory in MiB; what can't be read (no `/proc`, no `--server-pid`) is `null`.
/// The code is a failure if no call was answered.
pub fn finish(opts: &Opts) -> ExitCode {
    let server = opts.server_pid.map(|pid| pid.to_string());
    let cpu = || (cpu_us("self"), server.as_deref().and_then(cpu_us));
    std::thread::sleep(opts.warmup);
    let (client_before, server_before) = cpu();
    let began = Instant::now();
    recorder::measure();
    std::thread::sleep(opts.seconds);
    recorder::stop();
    let seconds = began.elapsed().as_secs_f64();
    let (client_after, server_after) = cpu();
    let merged = recorder::merge();
    let calls = merged.latencies.len();
    let per_call = |before: Option<f64>, after: Option<f64>| {
        let us = after? - before?;
        (calls > 0).then(|| us / calls as f64)
    };
    let quantile = |q: f64| merged.latencies.value_at_quantile(q) as f64 / 1e3;
    let mut line = Line::default();
    line.text("peer", Some(&opts.peer));
    line.number("conns", opts.conns as f64);
    line.number("concurrency", opts.concurrency as f64);
    line.number("seconds", seconds);
    line.number("calls", calls as f64);
    line.number("total_calls", (calls + merged.warm) as f64);
    line.number("errors", merged.errors as f64);
    line.text("first_error", merged.first_error.as_deref());
    line.number("throughput", calls as f64 / seconds);
    line.number("mean_us", merged.latencies.mean() / 1e3);
    line.number("p50_us", quantile(0.5));
    line.number("p99_us", quantile(0.99));
    line.number("p999_us", quantile(0.999));
    line.number("max_us", merged.latencies.max() as f64 / 1e3);
    line.number("client_cpu_us_per_call", per_call(client_before, client_after));
    line.number("server_cpu_us_per_call", per_call(server_before, server_after));
    line.number("client_rss_mib", peak_rss_mib("self"));
    line.number("server_rss_mib", server.as_deref().and_then(peak_rss_mib));
    println!("{{{}}}", line.0);
    if calls == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The members of a flat JSON object.
#[derive(Default)]
struct Line(String);

impl Line {
    fn member(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":{value}"));
    }

    fn number(&mut self, name: &str, value: impl Into<Option<f64>>) {
        let value = value.into().map(|v| format!("{v:.3}"));
        // whole numbers print whole: readers parse the counts as integers
        let text = value.as_deref().map_or("null", |v| v.strip_suffix(".000").unwrap_or(v));
        self.member(name, text);
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        let text = value.map_or("null".to_string(), |v| {
            let plain = |c: char| if c.is_control() || c == '"' || c == '\\' { ' ' } else { c };
            format!("\"{}\"", v.chars().take(200).map(plain).collect::<String>())
        });
        self.member(name, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_is_json() {
        let mut line = Line::default();
        line.text("peer", Some("a\"b\\c\n"));
        line.number("calls", 12.0);
        line.number("mean_us", 1.25);
        line.number("server_rss_mib", None);
        line.text("first_error", None);
        let json = r#""peer":"a b c ","calls":12,"mean_us":1.250,"server_rss_mib":null,"first_error":null"#;
        assert_eq!(line.0, json);
    }
}
