//! A short run of the fuzz targets of the codecs and of all that is written as text, without a fuzzer.
#![cfg(all(feature = "json", feature = "msgpack", feature = "protobuf", feature = "thrift"))]

#[path = "../fuzz/src/codecs/mod.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzzer")]
mod codecs;
#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "../fuzz/src/texts.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzzer")]
mod texts;

fn run(name: &str, target: fn(&[u8]), changes: usize) {
    corpus::run(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"), name, target, changes);
}

#[test]
fn payloads() {
    run("payloads", codecs::payloads, 4000);
}

#[test]
fn texts() {
    run("texts", texts::texts, 4000);
}
