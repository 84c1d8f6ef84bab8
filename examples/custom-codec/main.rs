//! A format of one's own under one of the free numbers 5 to 15: rows of numbers as comma-separated text.

use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::codec::{CodecError, CodecSet, Decode, Encode, Serde};
use rpcx::protocol::SerializeType;
use rpcx::{Client, Context, Result, Server};

/// The codec: a type without values. Its number must be the same on both sides.
enum Csv {}

const CSV: SerializeType = SerializeType::new(7).expect("7 is below 16");

impl CodecSet for Csv {
    const DEFAULT: SerializeType = CSV;

    fn supports(serialize: SerializeType) -> bool {
        serialize == CSV
    }
}

impl Encode<Vec<f64>> for Csv {
    fn encode(serialize: SerializeType, row: &Vec<f64>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        CodecError::check::<Self>(serialize)?;
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        out.extend_from_slice(cells.join(",").as_bytes());
        Ok(())
    }
}

impl Decode<Vec<f64>> for Csv {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<Vec<f64>, CodecError> {
        CodecError::check::<Self>(serialize)?;
        let text = std::str::from_utf8(payload).map_err(|error| CodecError::Decode(error.to_string()))?;
        let cell = |cell: &str| cell.parse().map_err(|_| CodecError::Decode(format!("`{cell}` is no number")));
        if text.is_empty() { Ok(Vec::new()) } else { text.split(',').map(cell).collect() }
    }
}

/// In a tuple with `Serde` the service takes CSV, MessagePack and JSON.
#[rpcx::service(codecs = (Csv, Serde))]
trait Rows {
    /// Each number over the sum of all.
    async fn shares(&self, ctx: &Context, row: Vec<f64>) -> Result<Vec<f64>>;
}

struct Sums;

impl Rows for Sums {
    async fn shares(&self, ctx: &Context, row: Vec<f64>) -> Result<Vec<f64>> {
        println!("  server: {:?}", String::from_utf8_lossy(ctx.payload()));
        let sum: f64 = row.iter().sum();
        Ok(row.iter().map(|number| number / sum).collect())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().service(RowsServer(Sums)).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let rows = RowsClient::new(&client)?;
    let row = vec![1.0, 2.0, 5.0];
    for format in [CSV, SerializeType::JSON] {
        let shares = rows.shares_with(&row, &CallOptions::new().serialize_type(format)).await?;
        println!("serialize type {format}: {:?}", shares.value);
    }
    // A payload that is none is the caller's mistake, which it is told.
    let raw = client.service("Rows")?.codecs::<rpcx::client::AnyBytes>();
    let options = CallOptions::new().serialize_type(CSV);
    match raw.call_with::<[u8], Bytes>("Shares", b"1,two", &options).await {
        Ok(_) => return Err("`two` was taken for a number".into()),
        Err(error) => println!("\"1,two\": {error}"),
    }
    Ok(())
}
