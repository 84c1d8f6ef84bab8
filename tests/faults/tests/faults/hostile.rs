//! Peers that do not read, send garbage, or come and go by the thousand.

use crate::support::{MARGIN, call, client, comes_down, eventually, ms, raw, run, victim};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::Error;
use rpcx::protocol::{CompressType, Compressors, Head, Header, SerializeType, encode};
use rpcx_faults::{Victim, held};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connects by hand.
async fn connect(server: &Victim) -> TcpStream {
    TcpStream::connect(server.address().trim_start_matches("tcp@")).await.unwrap()
}

fn request(method: &str, payload: &[u8], compress: CompressType) -> Vec<u8> {
    let mut wire = Vec::new();
    let header = Header::request(SerializeType::RAW, 1).with_compress(compress);
    encode(&mut wire, &Head::new(header, b"T", method.as_bytes()), payload).unwrap();
    wire
}

#[test]
fn a_client_that_does_not_read_costs_a_bounded_amount() {
    run(async {
        let server = victim(&["max_queued_bytes=1MiB", "write_timeout=1s"]);
        let client = client(server.address()).build().unwrap();
        let service = raw(&client);
        assert!(call(&service, "Echo", b"").await.is_ok());
        let before = held(server.id()).unwrap();
        let mut readers = Vec::new();
        for _ in 0..8 {
            let mut stream = connect(&server).await;
            let wire = request("Many", &(256_u32 << 10).to_be_bytes(), CompressType::NONE).repeat(400);
            // 100 MiB of answers each, which nobody takes.
            stream.write_all(&wire).await.unwrap();
            readers.push(stream);
        }
        let most = AtomicUsize::new(0);
        eventually("the server lets go of them", || async {
            most.fetch_max(held(server.id()).unwrap().memory_kib, Ordering::Relaxed);
            assert!(call(&service, "Echo", b"").await.is_ok(), "others are served");
            held(server.id()).unwrap().descriptors <= before.descriptors
        })
        .await;
        let most = most.into_inner();
        assert!(most < before.memory_kib + (64 << 10), "{most} KiB of {}", before.memory_kib);
        drop(readers);
    });
}

#[test]
fn garbage_floods_and_bombs_end_their_own_connection_only() {
    run(async {
        let server = victim(&["max_message_size=1MiB", "max_decompressed_size=1MiB", "read_timeout=300ms"]);
        let client = client(server.address()).build().unwrap();
        let service = raw(&client);
        assert!(call(&service, "Echo", b"").await.is_ok());
        let before = held(server.id()).unwrap();
        let mut bomb = Vec::new();
        Compressors::default().get(CompressType::GZIP).unwrap().compress(&vec![0; 64 << 20], &mut bomb).unwrap();
        let huge = {
            let mut head = request("Echo", b"", CompressType::NONE);
            head[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
            head
        };
        for round in 0..20_u64 {
            let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let noise: Vec<u8> = (0..10_000)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                })
                .collect();
            for bytes in [noise, huge.clone(), request("Echo", &bomb, CompressType::GZIP), vec![8, 0, 0]] {
                let mut stream = connect(&server).await;
                stream.write_all(&bytes).await.unwrap();
                assert!(call(&service, "Echo", b"others").await.is_ok());
                // An answer or none, then the end, when the rest of a frame does not come.
                if bytes.len() < 100 || bytes.starts_with(&huge[..16]) {
                    let mut rest = Vec::new();
                    let ended = tokio::time::timeout(ms(300) + MARGIN, stream.read_to_end(&mut rest)).await;
                    assert!(ended.is_ok(), "round {round}: still open");
                }
            }
        }
        comes_down(server.id(), before, 32 << 10).await;
    });
}

#[test]
fn a_thousand_connections_come_and_go() {
    run(async {
        let server = victim(&[]);
        let steady = client(server.address()).build().unwrap();
        let service = raw(&steady);
        assert!(call(&service, "Echo", b"").await.is_ok());
        // Once round first: allocators keep what they needed.
        let mut before = None;
        for round in 0..2 {
            for batch in 0..10 {
                let tasks = (0..50).map(|i| {
                    let address = server.address().to_owned();
                    tokio::spawn(async move {
                        let client = client(&address).build().unwrap();
                        let service = raw(&client);
                        for _ in 0..2 {
                            call(&service, "Echo", &[i; 100]).await?;
                        }
                        if i % 3 == 0 {
                            // Left in the middle of a call.
                            let soon = CallOptions::new().timeout(ms(1));
                            let _ = service.call_with::<_, Bytes>("Hold", &b""[..], &soon).await;
                        }
                        Ok::<(), Error>(())
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await.unwrap().unwrap_or_else(|error| panic!("round {round}, batch {batch}: {error:?}"));
                }
                assert!(call(&service, "Echo", b"").await.is_ok());
            }
            let counted = before.get_or_insert_with(|| (held(std::process::id()).unwrap(), held(server.id()).unwrap()));
            if round == 0 {
                eventually("they are gone", || async { held(server.id()).unwrap().descriptors < 30 }).await;
                *counted = (held(std::process::id()).unwrap(), held(server.id()).unwrap());
            }
        }
        let (ours, its) = before.unwrap();
        comes_down(std::process::id(), ours, 8 << 10).await;
        comes_down(server.id(), its, 8 << 10).await;
    });
}
