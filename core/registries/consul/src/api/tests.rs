use super::*;
use crate::endpoints::connect_to;
use crate::options::ConsulOptions;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The first answer: there is a leader.
const LEADER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n\"127.0.0.1:8300\"";

/// One request, head and body.
async fn receive(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap_or_default().parse().expect("a length"));
        if body.len() == length {
            return Some(text.into_owned());
        }
    }
}

/// A Consul that knows a leader, gives these bytes to the second request, and closes; the requests that it got, and then
/// whether the connection was closed.
async fn told(url: &str, answer: Vec<u8>) -> (Result<Api>, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let host = listener.local_addr().expect("address").to_string();
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        for bytes in [LEADER.as_bytes(), &answer] {
            let Some(request) = receive(&mut stream).await else { break };
            let _ = sender.send(request);
            if bytes.is_empty() {
                let closed = stream.read(&mut [0]).await.is_ok_and(|read| read == 0);
                let _ = sender.send(format!("closed: {closed}"));
                return;
            }
            // The client may have seen enough.
            if stream.write_all(bytes).await.is_err() {
                let _ = sender.send("refused to read on".to_owned());
            }
        }
    });
    let options = ConsulOptions::parse(&format!("{host}/{url}")).expect("options");
    (connect_to(&host, &options).await, requests)
}

async fn listed(answer: impl Into<Vec<u8>>) -> Result<(u64, Vec<Entry>)> {
    let (api, _requests) = told("rpcx", answer.into()).await;
    api.expect("connected").list("rpcx/Arith/", None).await
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn lists_are_read() {
    let body = r#"[{"LockIndex":1,"Key":"rpcx/Arith/tcp@a:1","Flags":3304740253564472344,"Value":"d2VpZ2h0PTc=","Session":"s-1",
        "CreateIndex":10,"ModifyIndex":11},{"Key":"rpcx/Arith/\u00e9","Flags":0,"Value":null,"Session":"","ModifyIndex":12}]"#;
    let (index, entries) = listed(ok("X-Consul-Index: 18446744073709551615\r\n", body)).await.expect("read");
    assert_eq!(index, u64::MAX);
    let entry = |key: &str, value: &str, index, session: Option<&str>| Entry {
        key: key.into(),
        value: value.into(),
        index,
        session: session.map(str::to_owned),
    };
    assert_eq!(
        entries,
        [entry("rpcx/Arith/tcp@a:1", "weight=7", 11, Some("s-1")), entry("rpcx/Arith/é", "", 12, None)]
    );
    let none = "HTTP/1.1 404 Not Found\r\nX-Consul-Index: 7\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(listed(none).await.expect("nothing"), (7, Vec::new()), "an empty list is an answer");
}

#[tokio::test]
async fn what_is_no_answer_of_consuls_is_an_error() {
    let index = "X-Consul-Index: 7\r\n";
    let entry = |value: &str, index: &str| format!(r#"[{{"Key":"k","Value":{value},"ModifyIndex":{index}}}]"#);
    for (answer, part) in [
        ("rubbish\r\n\r\n".to_owned(), ""),
        (String::from("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Consul-Index: 7\r\n\r\n[]"), "broke off"),
        (format!("HTTP/1.1 200 OK\r\n{index}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "broke off"),
        (format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)), ""),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Many: 1\r\n".repeat(200)), ""),
        (ok("", "[]"), "without X-Consul-Index"),
        (ok("X-Consul-Index: -1\r\n", "[]"), "without X-Consul-Index"),
        (ok("X-Consul-Index: 99999999999999999999\r\n", "[]"), "without X-Consul-Index"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".to_owned(), "none (status 404)"),
        ("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned(), "status 301"),
        (ok(index, ""), "cannot be read"),
        (ok(index, "{}"), "cannot be read"),
        (ok(index, &"[".repeat(1000)), "cannot be read"),
        (ok(index, "[{\"Key\":\"\u{e9}"), "cannot be read"),
        (ok(index, &entry("\"%%%\"", "1")), "base64"),
        (ok(index, &entry("1", "1")), "cannot be read"),
        (ok(index, &entry("null", "-1")), "cannot be read"),
        (ok(index, &entry("null", "1e99")), "cannot be read"),
    ] {
        let error = listed(answer.clone()).await.expect_err(&answer);
        assert_eq!(error.kind(), rpcx::ErrorKind::Closed, "{answer}: {error}");
        assert!(error.message().contains(part), "{answer}: {error}");
    }
}

#[tokio::test]
async fn refusals_have_their_reasons() {
    for (status, text, reason) in [
        (403, "Permission denied", Reason::AuthRefused),
        (401, "", Reason::AuthRefused),
        (500, "rpc error making call: ACL not found", Reason::AuthRefused),
        (500, "No cluster leader", Reason::ClosedRemote),
        (500, "Invalid Session TTL '5', must be between [10s=24h0m0s]", Reason::ConfigBadValue),
        (413, "Request body too large", Reason::ConfigBadValue),
        (429, "Your IP is issuing too many concurrent connections", Reason::ClosedRemote),
    ] {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let error = listed(answer).await.expect_err(text);
        assert_eq!(error.reason(), reason, "{text}: {error}");
        assert!(error.message().contains(text) && error.message().contains(&status.to_string()), "{error}");
    }
    let long = format!("HTTP/1.1 500 No\r\nContent-Length: 5000\r\n\r\n{}", "\u{7}é".repeat(5000 / 3 + 1));
    assert!(listed(&long[..long.len()]).await.expect_err("long").message().len() < 500, "the text is cut");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let mut endless = b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 * (MAX_ANSWER >> 20) {
        endless.extend_from_slice(b"100000\r\n");
        endless.resize(endless.len() + 0x10_0000, b' ');
        endless.extend_from_slice(b"\r\n");
    }
    let (api, _requests) = told("rpcx", endless).await;
    let error = api.expect("connected").get("rpcx/Arith").await.expect_err("too long");
    assert!(error.message().contains("longer than 4194304 bytes"), "{error}");
}

#[tokio::test]
async fn requests_are_what_consul_expects() {
    let (api, mut requests) = told("rpcx?token=c0ffee&dc=d%26c&user=u&password=p:w", ok("", "true").into_bytes()).await;
    let mut api = api.expect("connected");
    assert!(!format!("{api:?}").contains("c0ffee"), "{api:?}");
    api.put_new("rpcx/a b?é%/tcp@[::1]:1", "weight=7").await.expect("written");
    let leader = requests.recv().await.expect("the first");
    assert!(leader.starts_with("GET /v1/status/leader?&dc=d%26c HTTP/1.1\r\n"), "{leader}");
    let put = requests.recv().await.expect("the second");
    let target =
        "PUT /v1/kv/rpcx/a%20b%3F%C3%A9%25/tcp@%5B::1%5D:1?cas=0&flags=3304740253564472344&dc=d%26c HTTP/1.1\r\n";
    assert!(put.starts_with(target), "{put}");
    for part in
        ["x-consul-token: c0ffee\r\n", "authorization: Basic dTpwOnc=\r\n", "host: 127.0.0.1:", "\r\n\r\nweight=7"]
    {
        assert!(put.contains(part), "{part}: {put}");
    }
}

#[tokio::test]
async fn steps_are_written_as_consul_reads_them() {
    let conflict =
        r#"{"Results":null,"Errors":[{"OpIndex":1,"What":"failed to lock key \"k\", lock is already held"}]}"#;
    let answer = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {}\r\n\r\n{conflict}", conflict.len());
    let (api, mut requests) = told("rpcx", answer.into_bytes()).await;
    let steps = [Operation::is_unchanged("k", 5), Operation::lock("k", "é", "s-1")];
    let problems = api.expect("connected").transact(&steps).await.expect("an answer");
    assert_eq!((problems.len(), problems[0].op_index), (1, 1));
    requests.recv().await.expect("the first");
    let sent = requests.recv().await.expect("the second");
    let body = sent.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(
        body,
        r#"[{"KV":{"Verb":"check-index","Key":"k","Index":5}},"#.to_owned()
            + r#"{"KV":{"Verb":"lock","Key":"k","Value":"w6k=","Flags":3304740253564472344,"Session":"s-1"}}]"#
    );
}

#[tokio::test]
async fn a_refused_transaction_without_a_step_of_ours_is_an_error() {
    for body in [r#"{"Errors":null}"#, r#"{"Errors":[]}"#, r#"{"Errors":[{"OpIndex":9,"What":"x"}]}"#, "[]"] {
        let answer = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (api, _requests) = told("rpcx", answer.into_bytes()).await;
        let error = api.expect("connected").transact(&[Operation::is_there("k")]).await.expect_err(body);
        assert_eq!(error.reason(), Reason::ClosedRemote, "{body}: {error}");
    }
    let body = r#"{"Errors":[{"OpIndex":0,"What":"Permission denied"}]}"#;
    let answer = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (api, _requests) = told("rpcx", answer.into_bytes()).await;
    let error = api.expect("connected").transact(&[Operation::is_there("k")]).await.expect_err("denied");
    assert_eq!(error.reason(), Reason::AuthRefused);
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_connection() {
    let (api, mut requests) = told("rpcx", Vec::new()).await;
    let mut api = api.expect("connected");
    tokio::select! {
        _ = api.get("rpcx/Arith") => panic!("nobody answers"),
        _ = async { requests.recv().await; requests.recv().await } => {}
    }
    drop(api);
    assert_eq!(requests.recv().await.as_deref(), Some("closed: true"));
}

#[tokio::test]
async fn an_agent_without_a_leader_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let host = listener.local_addr().expect("address").to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        receive(&mut stream).await;
        let _ = stream.write_all(ok("", "\"\"").as_bytes()).await;
    });
    let options = ConsulOptions::parse(&format!("{host}/rpcx")).expect("options");
    let error = connect_to(&host, &options).await.expect_err("no leader");
    assert!(error.message().contains("no cluster leader") && error.message().contains(&host), "{error}");
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in any::<Vec<u8>>(), like in r#"[\[{]?"?(Key|Value|ModifyIndex)?"?:?[0-9"nul,}\]]{0,12}"#) {
        for body in [body, like.into_bytes()] {
            let answer = Answer { status: StatusCode::OK, index: Some(1), body: body.clone().into() };
            let _ = entries(answer);
            let _ = read::<Refused>(&body);
            let _ = read::<Created>(&body);
            prop_assert!(shown(&body).len() <= 600);
        }
    }
}
