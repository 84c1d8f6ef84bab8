//! Large compressed payloads: a connection and its shard go on while they are compressed and decompressed.

use crate::peer::{Peer, frame, hello, request};
use crate::support::{LIMIT, Over, Probe, WithProbe, assert_failed, call, eventually, ms, raw, run, url};
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Reason};
use rpcx::protocol::{CompressError, CompressType, Compressor, Header, SerializeType};
use rpcx::{Context, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Larger than what is compressed in place.
const SIZE: usize = 1 << 20;

/// Takes a payload as its own compressed form, and its time where one is large.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    waiting: AtomicUsize,
    panics: AtomicBool,
}

impl Gate {
    fn pass(&self, input: &[u8], out: &mut Vec<u8>) {
        if input.len() >= SIZE {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let until = Instant::now() + LIMIT;
            while self.closed.load(Ordering::SeqCst) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1)); // the work
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        out.extend_from_slice(input);
    }
}

impl Compressor for Gate {
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        assert!(!self.panics.load(Ordering::SeqCst), "the compressor is broken");
        self.pass(input, out);
        Ok(())
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
        if input.len() > limit {
            return Err(CompressError::TooLarge { limit });
        }
        self.pass(input, out);
        Ok(())
    }
}

fn kind() -> CompressType {
    CompressType::new(7).unwrap()
}

/// A server on the test's one thread, whose compressor waits at the gate.
async fn server(gate: &Arc<Gate>) -> Server {
    let large = async |_: Context, _: bytes::Bytes| Ok(bytes::Bytes::from(vec![1; SIZE]));
    let later = async |_: Context, _: bytes::Bytes| {
        tokio::task::yield_now().await;
        Ok(bytes::Bytes::from(vec![1; SIZE]))
    };
    let server = Over::Tcp.way().server().with_probe(&Probe::new()).compressor(kind(), gate.clone());
    server.raw("T", "Large", large).raw("T", "Later", later).start().await.unwrap()
}

#[test]
fn a_connection_goes_on_while_a_large_payload_is_worked_on() {
    // One that is large as it comes, and one whose answer is, given at once or later.
    for (method, payload) in [("Echo", vec![7; SIZE]), ("Large", vec![7]), ("Later", vec![7])] {
        run(async {
            let gate: Arc<Gate> = Arc::default();
            gate.closed.store(true, Ordering::SeqCst);
            let server = server(&gate).await;
            let mut peer = Peer::dial(&Over::Tcp.way(), &url(&server)).await;
            let header = Header::request(SerializeType::RAW, 1).with_compress(kind());
            peer.send(&frame(header, method, &payload, &[])).await;
            eventually("it is worked on", || gate.waiting.load(Ordering::SeqCst) == 1).await;
            peer.send(&hello()).await;
            assert!(peer.frame().await.unwrap().header().is_heartbeat());
            peer.send(&request(2, "Echo", b"small", &[])).await;
            assert_eq!(peer.frame().await.unwrap().payload(), b"small");
            gate.closed.store(false, Ordering::SeqCst);
            let answer = peer.frame().await.unwrap();
            assert_eq!((answer.header().seq, answer.header().compress()), (1, kind()), "{method}");
            assert_eq!(answer.payload().len(), SIZE);
        });
    }
}

#[test]
fn large_payloads_keep_limits_metadata_and_errors() {
    run(async {
        let gate: Arc<Gate> = Arc::default();
        let way = Over::Tcp.way();
        let mark = async |ctx: Context, payload: bytes::Bytes| {
            ctx.set_metadata("size", payload.len().to_string());
            Ok(payload)
        };
        let builder = way.server().raw("T", "Echo", mark).compressor(kind(), gate.clone());
        let server = builder.option("max_decompressed_size", "2MiB").start().await.unwrap();
        let client = way.client(url(&server)).compressor(kind(), Arc::new(Gate::default())).build().unwrap();
        let (service, options) = (raw(&client), CallOptions::new().compress_type(kind()));
        let answer = service.call_with::<_, bytes::Bytes>("Echo", &vec![3; SIZE], &options).await.unwrap();
        assert_eq!((answer.value.len(), answer.metadata.get("size")), (SIZE, Some("1048576")));

        let refused = service.call_with::<_, bytes::Bytes>("Echo", &vec![3; 3 * SIZE], &options).await;
        let error = assert_failed(refused.map(drop), Reason::LimitServer, Delivery::Answered);
        assert!(error.message().contains("max_decompressed_size"), "{error}");

        // The answer alone: a request is compressed by the client.
        gate.panics.store(true, Ordering::SeqCst);
        let broken = service.call_with::<_, bytes::Bytes>("Echo", &vec![3; SIZE], &options).await;
        let error = assert_failed(broken.map(drop), Reason::ServiceError, Delivery::Answered);
        assert!(error.message().contains("T.Echo"), "{error}");
        let began = Instant::now();
        assert_eq!(call(&service, "Echo", b"on").await.unwrap(), &b"on"[..]);
        assert!(began.elapsed() < ms(5_000));
    });
}
