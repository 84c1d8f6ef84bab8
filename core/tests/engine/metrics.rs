//! Metrics as Prometheus gets them: what its own parser reads, and the listener that serves them.

use crate::support::{Over, Probe, call, pair, raw, run};
use rpcx::stats::{Exposition, METRICS};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Prints `name{label=value,…} = value` for each sample that the parser of Prometheus' Python client finds, and fails
/// where it does, or where a histogram is none.
const PARSER: &str = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.buffer.read().decode()))
assert len({family.name for family in families}) == len(families), "a family twice"
for family in families:
    assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
    series = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        parts = series.setdefault(tuple(sorted(labels.items())), {})
        if sample.name.endswith("_bucket"):
            parts.setdefault("buckets", []).append((float(sample.labels["le"]), sample.value))
        parts[sample.name[len(family.name):]] = sample.value
        print(sample.name, sorted(sample.labels.items()), float(sample.value))
    if family.type == "histogram":
        for labels, parts in series.items():
            bounds, counts = zip(*parts["buckets"])
            assert list(bounds) == sorted(bounds) and bounds[-1] == float("inf"), labels
            assert list(counts) == sorted(counts) and counts[-1] == parts["_count"], labels
            assert (parts["_sum"] > 0) == (parts["_count"] > 0), labels
"#;

/// The samples of a text, as Prometheus' own parser reads them.
fn parse(text: &str) -> Vec<String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/venv/bin/python");
    let python = if own.exists() { own.as_os_str() } else { "python3".as_ref() };
    let mut child = Command::new(python)
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is needed");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("No module named"), "prometheus_client is missing: `make setup` installs it");
    assert!(output.status.success(), "{errors}\n{text}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_parser_of_prometheus_reads_what_is_rendered() {
    run(async {
        let (server, client) = pair(&Over::Tcp.way(), &Probe::new()).await;
        for _ in 0..3 {
            call(&raw(&client), "Echo", b"x").await.unwrap();
        }
        // A name with all that must be escaped.
        let odd = client.service("a\"b\\c\nd{},=").unwrap().raw();
        assert!(call(&odd, "é", b"").await.is_err());
        crate::support::eventually("all are counted", || server.stats().calls == 3).await;
        let text = Exposition::new().server("main", &server.stats()).client("", &client.stats()).render();
        let samples = parse(&text);
        for expected in [
            "rpcx_server_calls_total [('method', 'Echo'), ('name', 'main'), ('service', 'T')] 3.0",
            "rpcx_server_errors_total [('kind', 'service'), ('name', 'main'), ('reason', 'service.unknown_service')] 1.0",
            "rpcx_server_handler_duration_seconds_count [('method', 'Echo'), ('name', 'main'), ('service', 'T')] 3.0",
            "rpcx_server_connections [('name', 'main')] 1.0",
            "rpcx_client_calls_total [('method', 'Echo'), ('service', 'T')] 3.0",
            "rpcx_client_calls_total [('method', 'é'), ('service', 'a\"b\\\\c\\nd{},=')] 1.0",
            "rpcx_client_in_flight [] 0.0",
        ] {
            assert!(samples.iter().any(|sample| sample == expected), "{expected}\n{samples:#?}");
        }
        for row in METRICS {
            assert!(text.contains(&format!("# TYPE {} {}\n", row.name, row.kind)), "{} is not written", row.name);
        }
    });
}

#[cfg(feature = "metrics-listener")]
mod listener {
    use super::*;
    use crate::support::{LIMIT, WithProbe, eventually, ms, url};
    use rpcx::error::Reason;
    use rpcx::stats::MetricsListener;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn ask(listener: &MetricsListener, request: &[u8]) -> String {
        ask_at(listener.address(), request).await
    }

    async fn ask_at(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may have heard enough before the end.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("no end");
        drop(read);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn a_scrape_gets_the_metrics_and_garbage_an_error() {
        run(async {
            let (server, client) = pair(&Over::Tcp.way(), &Probe::new()).await;
            call(&raw(&client), "Echo", b"x").await.unwrap();
            let listener = MetricsListener::bind("0", move || server.stats().render()).await.unwrap();
            assert!(listener.address().ip().is_loopback());
            let answer = ask(&listener, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("version=0.0.4"), "{head}");
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
            assert!(parse(body).iter().any(|sample| sample.starts_with("rpcx_server_calls_total")));
            for (garbage, status) in [
                (&b"\x08\x00\xff\xff\n\n"[..], "400"),
                (b"\x16\x03\x01\x02\x00\r\n\r\n", "400"),
                (b"DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
                (b"GET /etc/passwd HTTP/1.1\r\n\r\n", "404"),
                (&[b'x'; 9000], "431"),
            ] {
                let answer = ask(&listener, garbage).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            }
            let again = ask(&listener, b"HEAD /metrics HTTP/1.0\n\n").await;
            assert!(again.starts_with("HTTP/1.1 200"), "{again}");
        });
    }

    #[test]
    fn it_ends_with_its_handle_and_names_an_address_it_cannot_have() {
        run(async {
            let listener = MetricsListener::bind("127.0.0.1:0", String::new).await.unwrap();
            let address = listener.address();
            let error = MetricsListener::bind(&address.to_string(), String::new).await.unwrap_err();
            assert_eq!(error.reason(), Reason::ConfigListen);
            assert!(error.message().contains(&address.to_string()), "{error}");
            let mut open = TcpStream::connect(address).await.unwrap();
            drop(listener);
            let mut byte = [0];
            assert!(!matches!(tokio::time::timeout(LIMIT, open.read(&mut byte)).await, Ok(Ok(1)) | Err(_)));
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(ms(1)).await;
            }
        });
    }

    /// Every language has options by name, and none but Rust has the listener.
    #[test]
    fn client_and_server_serve_them_by_an_option_until_they_end() {
        run(async {
            let (way, probe) = (Over::Tcp.way(), Probe::new());
            let server = way.server().with_probe(&probe).option("metrics_address", "0").start().await.unwrap();
            let client = way.client(url(&server)).option("metrics_address", "127.0.0.1:0").build().unwrap();
            call(&raw(&client), "Echo", b"x").await.unwrap();
            eventually("it is counted", || server.stats().calls == 1).await;
            let of_server = server.metrics_address().unwrap();
            let of_client = client.metrics_address().unwrap();
            for (address, metric) in [(of_server, "rpcx_server_calls_total"), (of_client, "rpcx_client_calls_total")] {
                let answer = ask_at(address, b"GET /metrics HTTP/1.1\r\n\r\n").await;
                let (_, body) = answer.split_once("\r\n\r\n").unwrap();
                let expected = format!("{metric} [('method', 'Echo'), ('service', 'T')] 1.0");
                assert!(parse(body).contains(&expected), "{body}");
            }
            // The same address again, on either side: who starts hears of it.
            let taken = of_server.to_string();
            let another = way.clone().another().server().with_probe(&probe).option("metrics_address", &taken);
            let refused = [
                another.start().await.map(drop).unwrap_err(),
                way.client(url(&server)).option("metrics_address", &taken).build().map(drop).unwrap_err(),
            ];
            for error in refused {
                assert_eq!(error.reason(), Reason::ConfigListen);
                assert!(error.message().contains(&taken), "{error}");
            }
            let plain = way.client(url(&server)).build().unwrap();
            assert_eq!(plain.metrics_address(), None);
            drop(plain);
            client.close();
            server.shutdown(LIMIT).await.unwrap();
            assert_eq!((server.metrics_address(), client.metrics_address()), (None, None));
            for address in [of_server, of_client] {
                while TcpStream::connect(address).await.is_ok() {
                    tokio::time::sleep(ms(1)).await;
                }
            }
        });
    }

    /// A client that is no longer used ends, though its metrics are served.
    #[test]
    fn they_keep_nothing_alive_and_need_a_runtime() {
        let way = Over::Tcp.way();
        let builder = || way.client("tcp@127.0.0.1:9").option("metrics_address", "0");
        let error = builder().build().unwrap_err();
        assert!(error.message().contains("not in a tokio runtime"), "{error}");
        run(async {
            let client = builder().build().unwrap();
            let address = client.metrics_address().unwrap();
            drop(client);
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(ms(1)).await;
            }
        });
        let server = way.server().with_probe(&Probe::new()).option("metrics_address", "0").serve_per_core(1).unwrap();
        let address = server.metrics_address().unwrap();
        run(async {
            let answer = ask_at(address, b"GET /metrics HTTP/1.1\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        });
        server.close();
        assert_eq!(server.metrics_address(), None);
    }
}

#[test]
fn the_option_takes_addresses_only() {
    for text in ["localhost:1", "99999", "tcp@127.0.0.1:1"] {
        let error = rpcx::Client::builder().option("metrics_address", text).discovery_url("tcp@127.0.0.1:9").build();
        let error = error.unwrap_err();
        assert_eq!(error.reason(), rpcx::error::Reason::ConfigBadValue, "{text}");
        assert!(error.message().contains("`metrics_address`"), "{error}");
    }
}

#[cfg(not(feature = "metrics-listener"))]
#[test]
fn a_build_without_the_listener_says_so() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().option("metrics_address", "0").start().await.map(drop);
        let client = way.client("tcp@127.0.0.1:9").option("metrics_address", "0").build().map(drop);
        for error in [server.unwrap_err(), client.unwrap_err()] {
            assert_eq!(error.reason(), rpcx::error::Reason::UnsupportedBuild);
            assert!(error.message().contains("metrics_address") && error.message().contains("metrics-listener"));
        }
    });
}
