//! What a login makes of the answers of a server.

use super::*;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LIMIT: Duration = Duration::from_secs(2);

/// A server that answers each request with the next of these texts, and tells what it was asked; the last goes on.
async fn server(answers: &'static [&'static str]) -> (NacosOptions, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = asked.clone();
    tokio::spawn(async move {
        let mut answers = answers.iter().peekable();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let mut length = 0;
            while !String::from_utf8_lossy(&request[..length]).contains("password=") {
                match stream.read(&mut request[length..]).await {
                    Ok(read) if read > 0 => length += read,
                    _ => break,
                }
            }
            told.lock().expect("no panic").push(String::from_utf8_lossy(&request[..length]).into_owned());
            let last = answers.len() == 1;
            let answer = if last { answers.peek() } else { None }.copied();
            let answer = answer.or_else(|| answers.next()).expect("an answer");
            // Whoever has read enough does not wait for the rest.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let options = NacosOptions::parse(&format!("{address}?user=nacos&password=a%26b%20c")).expect("options");
    (options, asked)
}

/// Runs a test on a runtime of one thread, as a shard is.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await.expect("in time") });
}

async fn token(login: &Login, options: &NacosOptions) -> Result<Option<Secret>> {
    login.token(options, &options.hosts[0], LIMIT).await
}

#[test]
fn a_token_is_used_until_it_ends_or_is_refused() {
    run(async {
        let (options, asked) = server(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"accessToken\":\"one\",\"tokenTtl\":18000}",
            "HTTP/1.1 200 OK\r\ncontent-length: 34\r\n\r\n{\"accessToken\":\"two\",\"tokenTtl\":0}",
        ])
        .await;
        let login = Login::default();
        let first = token(&login, &options).await.expect("a token").expect("of a user");
        assert_eq!(first.expose(), "one");
        assert_eq!(token(&login, &options).await.expect("a token"), Some(first.clone()));
        let request = asked.lock().expect("no panic").remove(0);
        assert!(request.starts_with("POST /nacos/v1/auth/login HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\npassword=a%26b+c&username=nacos"), "{request}");
        assert!(login.forget(Some(&first)));
        assert_eq!(token(&login, &options).await.expect("a token").expect("of a user").expose(), "two");
        // One that ends at once is asked for again.
        assert_eq!(token(&login, &options).await.expect("a token").expect("of a user").expose(), "two");
        assert_eq!(asked.lock().expect("no panic").len(), 2);
        assert!(!login.forget(None), "without a user there is nothing better");
    });
}

#[test]
fn a_token_that_lasts_a_while_yet_is_used_while_nobody_gives_another() {
    run(async {
        let (options, asked) = server(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{\"accessToken\":\"one\",\"tokenTtl\":100}",
            "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
        ])
        .await;
        let login = Login::default();
        let first = token(&login, &options).await.expect("a token");
        let age = |seconds: u64| {
            let mut token = login.lock();
            let token = token.as_mut().expect("a token");
            (token.renew, token.ends) =
                (token.renew - Duration::from_secs(seconds), token.ends - Duration::from_secs(seconds));
        };
        for (seconds, requests) in [(80, 1), (15, 2)] {
            age(seconds);
            assert_eq!(token(&login, &options).await.expect("a token"), first);
            assert_eq!(asked.lock().expect("no panic").len(), requests);
        }
        age(10);
        assert!(token(&login, &options).await.is_err(), "it has ended");
    });
}

#[test]
fn nacos_3_has_its_login_elsewhere() {
    run(async {
        let (options, asked) = server(&[
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"accessToken\":\"three\"}",
        ])
        .await;
        assert!(token(&Login::default(), &options).await.is_err(), "the body is cut off");
        let (other, _) = server(&[
            "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n{\"accessToken\":\"three\",\"globalAdmin\":true}",
        ])
        .await;
        // The second one ends with its connection.
        assert_eq!(token(&Login::default(), &other).await.expect("a token").expect("of a user").expose(), "three");
        assert!(asked.lock().expect("no panic")[1].starts_with("POST /nacos/v3/auth/user/login "));
    });
}

#[test]
fn other_answers_are_errors() {
    run(async {
        for (answer, reason) in [
            (&["HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\nunknown user!"], Reason::AuthRefused),
            (&["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"], Reason::ClosedRemote),
            (&["HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"], Reason::ClosedRemote),
            (&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"], Reason::ClosedRemote),
            (&["HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}"], Reason::ConnectRefused),
            (&["SSH-2.0-OpenSSH_9.2\r\n"], Reason::ConnectRefused),
            (&[""], Reason::ConnectRefused),
        ] {
            let (options, _) = server(answer).await;
            let error = token(&Login::default(), &options).await.expect_err("no token");
            assert_eq!(error.reason(), reason, "{answer:?}: {error}");
            assert!(!error.message().contains("a&b"), "{error}");
        }
    });
}

#[test]
fn an_answer_that_does_not_end_is_given_up() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let silent = tokio::spawn(async move { listener.accept().await });
        let options = NacosOptions::parse(&format!("{address}?user=u")).expect("options");
        let limit = Duration::from_millis(100);
        let error = Login::default().token(&options, &options.hosts[0], limit).await.expect_err("no answer");
        assert_eq!(error.reason(), Reason::ConnectTimeout, "{error}");
        // Without end, and longer than anything that is read.
        let (options, _) = server(&[ENDLESS]).await;
        assert!(token(&Login::default(), &options).await.is_err());
        drop(silent);
    });
}

/// As long as the longest answer, and more to come.
const ENDLESS: &str = {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
    const TEXT: &[u8] = &{
        let mut text = [b' '; MAX_ANSWER + 100];
        let mut at = 0;
        while at < HEAD.len() {
            text[at] = HEAD[at];
            at += 1;
        }
        text
    };
    match std::str::from_utf8(TEXT) {
        Ok(text) => text,
        Err(_) => panic!("ASCII"),
    }
};
