//! A list of servers that the program changes while it calls: groups, a server that is taken out, one that comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpcx::discovery::{Multiple, NodeChange};
use rpcx::{Client, Context, Result, Server};

/// Who answers twelve calls, and how many of them.
async fn ask(client: &Client) -> Result<BTreeMap<String, u32>> {
    let service = client.service("Who")?;
    let mut answers = BTreeMap::new();
    for _ in 0..12 {
        let name: String = service.call("Am", &()).await?;
        *answers.entry(name).or_default() += 1;
    }
    Ok(answers)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut servers = Vec::new();
    for name in ["old", "new", "beta"] {
        let am = move |_: Context, (): ()| async move { Ok(name.to_owned()) };
        servers.push(Server::builder().function("Who", "Am", am).bind("tcp@127.0.0.1:0").start().await?);
    }
    let [old, new, beta] = [0, 1, 2].map(|index| servers[index].addresses()[0].to_string());

    let list = Arc::new(Multiple::parse(&format!("{old},{beta}?group=beta"))?);
    let everyone = Client::builder().discovery(list.clone()).build()?;
    let testers = Client::builder().discovery(list.clone()).option("group", "beta").build()?;
    println!("all: {:?}, group beta: {:?}", ask(&everyone).await?, ask(&testers).await?);

    list.change([NodeChange::Set(new.parse()?)]);
    println!("a server more: {:?}", ask(&everyone).await?);
    // What an operator does before he stops a server: no new calls, those in progress finish.
    list.change([NodeChange::Set(format!("{old}?state=inactive").parse()?)]);
    println!("one is inactive: {:?}", ask(&everyone).await?);
    list.change([NodeChange::Remove(old.into())]);
    list.update(vec![new.parse()?]);
    println!("another list: {:?}", ask(&everyone).await?);
    Ok(())
}
