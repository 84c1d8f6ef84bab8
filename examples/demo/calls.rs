//! Calls of every kind, one step each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx::client::{Batch, CallOptions, Response};
use rpcx::protocol::SerializeType;
use rpcx::{Client, Delivery, ErrorKind, Result};

use crate::report::{Outcome, Report, Tally, expect};
use crate::service::{Args, ArithClient, Counts, LabClient, Relay, Reply};

/// How long the demo waits for something that happens elsewhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// All of them, on the server of `client`; `other` and `all` are addresses for calls that need more than one.
pub(crate) async fn run(client: &Client, other: &str, all: &Client) -> Result<Tally> {
    let arith = ArithClient::new(client)?;
    let lab = LabClient::new(client)?;
    let mut report = Report::new("Calls of every kind");
    for format in [SerializeType::MSGPACK, SerializeType::JSON, SerializeType::PROTOBUF] {
        report.step(&format!("typed, {format}"), typed(&arith, format)).await;
    }
    report.step("metadata", metadata(&lab)).await;
    report.step("unix socket", over(other)).await;
    report.step("oneway", oneway(&lab)).await;
    report.step("batch", batch(&arith)).await;
    report.step("all servers", inform(all)).await;
    report.step("server push", push(client, &lab)).await;
    report.step("blocking handler", blocking(&lab)).await;
    report.step("nested deadline", nested(&lab, other)).await;
    report.step("timeout", timeout(&lab)).await;
    report.step("cancellation", cancellation(&lab)).await;
    report.step("error", service_error(&arith)).await;
    report.step("panic", panic(&lab)).await;
    report.step("unknown method", unknown(client)).await;
    report.step("16 MiB echo", echo(client)).await;
    Ok(report.print())
}

async fn typed(arith: &ArithClient, format: SerializeType) -> Outcome {
    let reply = arith.mul_with(&Args { a: 6, b: 7 }, &CallOptions::new().serialize_type(format)).await?;
    expect(reply.value.c == 42, || format!("6 x 7 = {}", reply.value.c))?;
    Ok("6 x 7 = 42".to_owned())
}

async fn metadata(lab: &LabClient) -> Outcome {
    let response = lab.greet_with(&"Ada".to_owned(), &CallOptions::new().metadata("language", "de")).await?;
    expect(response.metadata.get("language") == Some("de"), || "the answer has no metadata".to_owned())?;
    expect(response.value == "Guten Tag, Ada", || response.value.clone())?;
    Ok(format!("language=de there and back: {:?}", response.value))
}

async fn over(address: &str) -> Outcome {
    let arith = ArithClient::new(&Client::new(address)?)?;
    let reply = arith.mul_with(&Args { a: 8, b: 8 }, &CallOptions::new()).await?;
    expect(reply.value.c == 64, || format!("8 x 8 = {}", reply.value.c))?;
    expect(&*reply.server == address, || format!("answered by {}", reply.server))?;
    Ok("8 x 8 = 64".to_owned())
}

async fn oneway(lab: &LabClient) -> Outcome {
    let before = lab.counts(&()).await?.notes;
    for number in 0..100 {
        lab.note_method().oneway(&format!("note {number}"), &CallOptions::new()).await?;
    }
    let after = until(lab, |counts| counts.notes == before + 100).await?;
    Ok(format!("100 requests sent without an answer, {} arrived", after.notes - before))
}

async fn batch(arith: &ArithClient) -> Outcome {
    let mut batch = Batch::new();
    for number in 0..1_000 {
        batch.add(arith.mul_method(), Args { a: number, b: 2 }, CallOptions::new());
    }
    let results: Vec<Result<Response<Reply>>> = batch.run().await;
    let right = results.iter().zip(0..).filter(|(r, n)| r.as_ref().is_ok_and(|r| r.value.c == 2 * n)).count();
    expect(right == 1_000, || format!("{right} of 1,000 answers are right"))?;
    Ok("1,000 calls handed over at once, 1,000 right answers".to_owned())
}

async fn inform(all: &Client) -> Outcome {
    let arith = ArithClient::new(all)?;
    let answers: Vec<(_, Result<Response<Reply>>)> =
        arith.mul_method().inform(&Args { a: 2, b: 2 }, &CallOptions::new()).await?;
    let good = answers.iter().filter(|(_, answer)| answer.as_ref().is_ok_and(|answer| answer.value.c == 4)).count();
    expect(good == 3, || format!("{good} of 3 servers answered"))?;
    Ok(format!("{good} servers asked, {good} answers"))
}

async fn push(client: &Client, lab: &LabClient) -> Outcome {
    let mut pushes = client.pushes();
    lab.subscribe(&5).await?;
    let mut numbers = Vec::new();
    while numbers.len() < 5 {
        let push = tokio::time::timeout(PATIENCE, pushes.next()).await?.ok_or("the client was closed")?;
        numbers.push(String::from_utf8_lossy(&push.payload()).into_owned());
    }
    expect(numbers == ["1", "2", "3", "4", "5"], || numbers.join(" "))?;
    Ok(format!("messages {} from the server, unasked", numbers.join(" ")))
}

async fn blocking(lab: &LabClient) -> Outcome {
    let name = "Ada".to_owned();
    let (primes, greeting) = tokio::join!(lab.count_primes(&200_000), lab.greet(&name));
    expect(primes.as_ref().is_ok_and(|primes| *primes == 17_984), || format!("{primes:?}"))?;
    greeting?;
    Ok("17,984 primes counted on a worker thread; other calls went on".to_owned())
}

async fn nested(lab: &LabClient, other: &str) -> Outcome {
    let options = CallOptions::new().timeout(Duration::from_millis(2_000));
    let left = lab.relay_with(&Relay { address: other.to_owned() }, &options).await?.value;
    expect((1..=2_000).contains(&left), || format!("{left} ms left at the inner server"))?;
    Ok(format!("2,000 ms at the caller, {left} ms left two servers on"))
}

async fn timeout(lab: &LabClient) -> Outcome {
    let begin = Instant::now();
    let result = lab.wait_with(&60_000, &CallOptions::new().timeout(Duration::from_millis(200))).await;
    let took = begin.elapsed();
    let Err(error) = result else { return Err("a minute passed within 200 ms".into()) };
    expect(error.kind() == ErrorKind::Timeout, || error.to_string())?;
    expect(error.delivery() == Delivery::MaybeRun, || error.delivery().to_string())?;
    expect(took < Duration::from_secs(2), || format!("it took {took:?}"))?;
    Ok(format!("gave up after {} ms: kind {}, delivery {}", took.as_millis(), error.kind(), error.delivery()))
}

async fn cancellation(lab: &LabClient) -> Outcome {
    let before = lab.counts(&()).await?;
    let call = tokio::spawn({
        let lab = lab.clone();
        async move { lab.wait(&60_000).await }
    });
    until(lab, |counts| counts.begun > before.begun).await?;
    call.abort();
    until(lab, |counts| counts.given_up > before.given_up).await?;
    Ok("the caller dropped its call, the handler was told and stopped".to_owned())
}

async fn service_error(arith: &ArithClient) -> Outcome {
    let Err(error) = arith.div(&Args { a: 1, b: 0 }).await else { return Err("1 / 0 has a result".into()) };
    expect(error.kind() == ErrorKind::Service && error.message() == "divide by zero", || error.to_string())?;
    Ok(format!("{:?}: kind {}, delivery {}", error.message(), error.kind(), error.delivery()))
}

async fn panic(lab: &LabClient) -> Outcome {
    let Err(error) = lab.panic(&"out of coffee".to_owned()).await else { return Err("no panic".into()) };
    expect(error.message().contains("out of coffee"), || error.to_string())?;
    lab.greet(&"Ada".to_owned()).await?;
    Ok(format!("answered {:?}; the server goes on", error.message().lines().next().unwrap_or_default()))
}

async fn unknown(client: &Client) -> Outcome {
    let result: Result<Reply> = client.service("Arith")?.call("Square", &Args { a: 1, b: 1 }).await;
    let Err(error) = result else { return Err("somebody answered".into()) };
    expect(error.kind() == ErrorKind::Service, || error.to_string())?;
    Ok(format!("{:?}", error.message()))
}

async fn echo(client: &Client) -> Outcome {
    let sent: Vec<u8> = (0..16 << 20).map(|byte: u32| (byte % 251) as u8).collect();
    let echoed: Bytes = client.service("Bytes")?.raw().call("Echo", &sent[..]).await?;
    expect(echoed == sent, || "what came back is not what was sent".to_owned())?;
    Ok("16,777,216 bytes there and back, the same".to_owned())
}

/// Asks the server for its counts until they are as wanted.
async fn until(lab: &LabClient, wanted: impl Fn(&Counts) -> bool) -> Outcome<Counts> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = lab.counts(&()).await?;
        if wanted(&counts) {
            return Ok(counts);
        }
        expect(Instant::now() < deadline, || "it did not happen in time".to_owned())?;
    }
}
