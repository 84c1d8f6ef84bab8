//! What answers at the port of a Redis and is none, or means no good.

use crate::support::{discovery, eventually, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Clients have a problem and go on; nothing panics, and nothing is kept without end.
#[test]
fn whatever_answers_clients_have_a_problem_and_no_more() {
    run(async {
        let deep = "*1\r\n".repeat(100_000);
        for (what, answer) in [
            ("another protocol", "HTTP/1.0 400 Bad Request\r\n\r\n"),
            ("no number", "$x\r\n"),
            ("a number without end", "$99999999999999999999999\r\n"),
            ("a list of many that does not come", "*2147483647\r\n"),
            ("a map of many that does not come", "%4611686018427387904\r\n"),
            ("lists in lists", &deep),
            ("an answer without end", "endless"),
            ("an answer without end, later", "endless later"),
            ("answers to what was not asked", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n:1\r\n*0\r\n"),
            ("events of nothing", ">0\r\n>1\r\n+pmessage\r\n>4\r\n+pmessage\r\n+a\r\n+b\r\n+c\r\n"),
            ("silence, then nothing", ""),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let answer = answer.to_owned();
            let server = tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut asked = [0; 64];
                    // Whoever has gone away is not answered.
                    let _ = stream.read(&mut asked).await;
                    if !answer.starts_with("endless") {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    } else {
                        // The first three questions are asked together.
                        let first: &[u8] = if answer == "endless" { b"" } else { b"+OK\r\n+OK\r\n+OK\r\n" };
                        let _ = stream.write_all(first).await;
                        let _ = stream.write_all(b"$9000000000000\r\n").await;
                        let much = vec![b'x'; 1 << 20];
                        while stream.write_all(&much).await.is_ok() {}
                    }
                }
            });
            let options = "reconnect_interval=10ms&max_reconnect_interval=10ms&request_timeout=500ms";
            let discovery = discovery(&format!("redis://{at}/hostile?{options}"));
            let watch = discovery.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            println!("{what}: {}", watch.problem().unwrap_or_default());
            assert!(watch.latest().is_empty());
            discovery.close();
            server.abort();
        }
    });
}
