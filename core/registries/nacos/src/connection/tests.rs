//! What a connection does with what a server says.

use super::*;
use crate::connect::Members;
use crate::fake::Fake;
use std::sync::atomic::{AtomicU32, Ordering};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test on a runtime of one thread, as a shard is.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("in time") });
}

async fn connect(fake: &Fake) -> Arc<Connection> {
    Arc::new(Members::new(fake.options.clone()).connect(None).await.expect("a connection"))
}

fn list(time: i64, ports: &[u16]) -> Value {
    let hosts: Vec<_> = ports.iter().map(|port| json!({"ip": "127.0.0.1", "port": port})).collect();
    json!({"name": "Arith", "groupName": "DEFAULT_GROUP", "lastRefTime": time, "hosts": hosts})
}

fn ports(list: &ServiceInfo) -> Vec<i64> {
    list.hosts.iter().flatten().map(|host| host.port).collect()
}

#[test]
fn it_is_set_up_when_the_server_has_taken_notice() {
    run(async {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let fake = Fake::start(move |kind, _| match kind {
            "HealthCheckRequest" if count.fetch_add(1, Ordering::Relaxed) < 3 => {
                json!({"resultCode": 500, "errorCode": 301, "message": "Connection is unregistered."})
            }
            _ => Value::Null,
        })
        .await;
        let connection = connect(&fake).await;
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        assert!(connection.lost().is_none());
        let introduction = fake.told("ConnectionSetupRequest", 1).await.remove(0);
        assert_eq!((&introduction["tenant"], &introduction["labels"]["module"]), (&json!("test"), &json!("naming")));
    });
}

#[test]
fn a_server_that_is_not_ready_is_none() {
    run(async {
        for refusing in ["ServerCheckRequest", "HealthCheckRequest"] {
            let fake = Fake::start(move |kind, _| match kind == refusing {
                true => json!({"resultCode": 500, "errorCode": 300, "message": "Server is starting"}),
                false => Value::Null,
            })
            .await;
            let error = Members::new(fake.options.clone()).connect(None).await.map(drop).expect_err("it is starting");
            assert!(error.message().contains("Server is starting"), "{error}");
        }
    });
}

#[test]
fn what_the_server_asks_is_answered() {
    run(async {
        let fake = Fake::start(|_, _| Value::Null).await;
        let connection = connect(&fake).await;
        for (kind, answer) in [
            ("ClientDetectionRequest", "ClientDetectionResponse"),
            ("NotifySubscriberRequest", "NotifySubscriberResponse"),
            ("SetupAckRequest", "SetupAckResponse"),
        ] {
            fake.push(kind, &json!({"requestId": kind})).await;
            let body = fake.told(answer, 1).await.remove(0);
            assert_eq!((&body["requestId"], &body["resultCode"]), (&json!(kind), &json!(200)));
        }
        fake.push("SomethingNewRequest", &json!(["what"])).await;
        assert!(connection.lost().is_none());
        fake.push("ConnectResetRequest", &json!({"requestId": "7", "serverIp": "10.0.0.2", "serverPort": "8848"}))
            .await;
        let error = connection.end().await;
        assert!(error.message().contains("10.0.0.2"), "{error}");
        fake.told("ConnectResetResponse", 1).await;
    });
}

#[test]
fn lists_are_followed_until_nobody_wants_them() {
    run(async {
        let fake = Fake::start(|kind, body| match (kind, &body["subscribe"]) {
            ("SubscribeServiceRequest", Value::Bool(true)) => json!({"resultCode": 200, "serviceInfo": list(5, &[1])}),
            _ => Value::Null,
        })
        .await;
        let connection = connect(&fake).await;
        let (first, mut follower) = connection.follow("Arith").await.expect("a list");
        assert_eq!(ports(&first), [1]);
        let push = async |list: Value| {
            fake.push("NotifySubscriberRequest", &json!({"requestId": "1", "serviceInfo": list})).await
        };
        // Of another service, of another group, without a list: nothing.
        for (field, value) in [("name", json!("Arith2")), ("groupName", json!("g")), ("hosts", Value::Null)] {
            let mut other = list(6, &[9]);
            other[field] = value;
            push(other).await;
        }
        push(list(7, &[1, 2])).await;
        assert_eq!(ports(&follower.next().await.expect("a list")), [1, 2]);
        // Java's clock may be set back.
        push(list(3, &[])).await;
        assert!(ports(&follower.next().await.expect("a list")).is_empty());
        drop(follower);
        let told = fake.told("SubscribeServiceRequest", 2).await;
        assert_eq!((&told[0]["subscribe"], &told[1]["subscribe"]), (&json!(true), &json!(false)));
        let (again, _follower) = connection.follow("Arith").await.expect("a list");
        assert_eq!(ports(&again), [1]);
    });
}

#[test]
fn an_answer_without_a_list_is_not_an_empty_list() {
    run(async {
        for answer in [
            json!({"resultCode": 200}),
            json!({"resultCode": 200, "serviceInfo": {"name": "Arith"}}),
            json!({"resultCode": 500, "errorCode": 500, "message": "no"}),
        ] {
            let fake = Fake::start(
                move |kind, _| if kind == "SubscribeServiceRequest" { answer.clone() } else { Value::Null },
            )
            .await;
            assert!(connect(&fake).await.follow("Arith").await.is_err());
        }
    });
}

#[test]
fn what_cannot_be_read_ends_the_connection() {
    run(async {
        for (body, part) in
            [(json!({"serviceInfo": 7}), "that is none"), (json!({"serviceInfo": {"hosts": [[[]]]}}), "that is none")]
        {
            let fake = Fake::start(|_, _| Value::Null).await;
            let connection = connect(&fake).await;
            fake.push("NotifySubscriberRequest", &body).await;
            let error = connection.end().await;
            assert!(error.message().contains(part), "{error}");
        }
    });
}

#[test]
fn whoever_dropped_a_connection_has_ended_it() {
    run(async {
        let fake = Fake::start(|_, _| Value::Null).await;
        let bell = Arc::new(Notify::new());
        let connection = Members::new(fake.options.clone()).connect(Some(bell.clone())).await.expect("a connection");
        let lost = connection.lost.clone();
        drop(connection);
        bell.notified().await;
        assert!(lost.borrow().is_some());
    });
}
