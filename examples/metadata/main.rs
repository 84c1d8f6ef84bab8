//! Metadata: pairs of text beside the arguments and beside the reply.

use rpcx::client::{CallOptions, Response};
use rpcx::{Client, Context, Result, Server};

/// Greets in the language that the caller's metadata asks for, and says in its own which one it was.
async fn greet(ctx: Context, name: String) -> Result<String> {
    let metadata = ctx.metadata();
    let language = metadata.get("language").unwrap_or("en");
    ctx.set_metadata("language", language);
    ctx.set_metadata("greeted", &name);
    Ok(match language {
        "de" => format!("Guten Tag, {name}"),
        _ => format!("Good day, {name}"),
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().function("Greeter", "Greet", greet).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let greeter = client.service("Greeter")?;

    for language in [None, Some("de")] {
        let mut options = CallOptions::new();
        if let Some(language) = language {
            options = options.metadata("language", language);
        }
        let response: Response<String> = greeter.call_with("Greet", "ada", &options).await?;
        println!("asked for {language:?}: {}", response.value);
        for (key, value) in response.metadata.iter() {
            println!("  response metadata {key} = {value}");
        }
        println!("  answered by {} in {} attempt", response.server, response.attempts);
    }
    Ok(())
}
