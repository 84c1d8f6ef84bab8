//! Cancellation: dropping the future of a call cancels it, here and in the handler.

use std::time::Duration;

use rpcx::{Client, Context, Result, Server};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<()> {
    let (report, mut reports) = mpsc::unbounded_channel();

    // Works for ever; says when it begins and when it hears that nobody waits.
    let search = move |ctx: Context, word: String| {
        let report = report.clone();
        async move {
            // The program reads until its end.
            let _ = report.send(format!("handler: I look for {word:?}"));
            ctx.cancelled().await;
            let _ = report.send("handler: cancelled, so I put everything back".to_owned());
            Result::<String>::Err("cancelled".into())
        }
    };
    let server = Server::builder().function("Library", "Search", search).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let library = client.service("Library")?;

    let call = library.call::<_, String>("Search", "rpcx");
    tokio::select! {
        result = call => println!("the search ended by itself: {result:?}"),
        begun = reports.recv() => println!("{}", begun.unwrap_or_default()),
    }
    // The call lost the race above and is dropped: that is all it takes.
    println!("caller: I no longer wait");
    match tokio::time::timeout(Duration::from_secs(5), reports.recv()).await {
        Ok(stopped) => println!("{}", stopped.unwrap_or_default()),
        Err(_) => return Err("the handler was not told".into()),
    }
    Ok(())
}
