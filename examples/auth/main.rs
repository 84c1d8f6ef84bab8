//! Authentication: the client sends a token with every call, the server's authenticator decides.

use rpcx::interceptor::BoxFuture;
use rpcx::server::Authenticator;
use rpcx::{Client, Context, Result, Server};

/// Knows one token. A real one might ask a token service here: it may wait, for at most `auth_timeout`.
struct OneToken(&'static str);

impl Authenticator for OneToken {
    fn authenticate<'a>(&'a self, ctx: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            println!("  server: {}.{} with a token of {} letters", ctx.service(), ctx.method(), token.len());
            // Its error's text goes to the client; the connection is closed after it.
            if token == self.0 { Ok(()) } else { Err("invalid token".into()) }
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Vault", "Open", |_ctx: Context, (): ()| async { Ok("gold".to_owned()) })
        .authenticator(OneToken("bearer tGzv3JOkF0XG5Qx2TlKWIA"))
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let address = server.addresses()[0].to_string();

    for token in ["bearer tGzv3JOkF0XG5Qx2TlKWIA", "bearer guessed"] {
        let client = Client::builder().discovery_url(&address).option("auth", token).build()?;
        let result: Result<String> = client.service("Vault")?.call("Open", &()).await;
        match result {
            Ok(found) => println!("the vault holds {found}"),
            Err(error) => println!("refused: {error} (kind {})", error.kind()),
        }
    }
    Ok(())
}
