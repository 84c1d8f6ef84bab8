//! Select modes: which of three servers gets a call. Two have metadata that some modes go by.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpcx::client::{CallOptions, Response};
use rpcx::{Client, Context, Result, Server};

/// Sixty calls; how many of them each server answered. `key` is what consistent hashing goes by.
async fn ask(client: &Client, key: impl Fn(usize) -> String) -> Result<BTreeMap<Arc<str>, u32>> {
    let service = client.service("Who")?;
    let mut answers = BTreeMap::new();
    for number in 0..60 {
        let options = CallOptions::new().hash_key(key(number));
        let answer: Response<String> = service.call_with("Am", &(), &options).await?;
        *answers.entry(answer.server).or_default() += 1;
    }
    Ok(answers)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        let am = move |_: Context, (): ()| async move { Ok(name.to_owned()) };
        servers.push(Server::builder().function("Who", "Am", am).bind("tcp@127.0.0.1:0").start().await?);
    }
    let address = |index: usize| servers[index].addresses()[0].to_string();
    // Behind a `?` stands what a registry would tell of a server: here its weight and where it is.
    let list = [
        format!("{}?weight=4&latitude=52.5&longitude=13.4", address(0)),
        format!("{}?weight=1&latitude=35.7&longitude=139.7", address(1)),
        address(2),
    ];
    let url = format!("multiple://{}", list.join(","));
    let client = |options: &[(&str, &str)]| {
        let builder = Client::builder().discovery_url(&url);
        options.iter().fold(builder, |builder, (name, value)| builder.option(name, value)).build()
    };

    let modes: [(&str, &[(&str, &str)]); 8] = [
        ("round robin", &[]),
        ("random", &[("select_mode", "random")]),
        ("weights 4, 1, 1", &[("select_mode", "weighted_round_robin")]),
        ("by ping time", &[("select_mode", "weighted_icmp")]),
        ("least loaded", &[("select_mode", "least_loaded")]),
        ("closest to Paris", &[("select_mode", "closest"), ("latitude", "48.9"), ("longitude", "2.4")]),
        ("hash of one key", &[("select_mode", "consistent_hash")]),
        ("sticky", &[("sticky", "true")]),
    ];
    for (name, options) in modes {
        let answers = ask(&client(options)?, |_| "Ada".to_owned()).await?;
        let counts = [0, 1, 2].map(|index| answers.get(address(index).as_str()).copied().unwrap_or_default());
        println!("{name:>16}: {counts:?}");
    }
    let answers = ask(&client(&[("select_mode", "consistent_hash")])?, |number| format!("user {number}")).await?;
    println!("  hash of 60 keys: {} servers, each key on the same one in every process", answers.len());
    Ok(())
}
