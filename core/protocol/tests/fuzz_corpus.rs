//! A short run of the fuzz targets of the wire protocol, without a fuzzer.

#[path = "../../fuzz/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/wire.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzzer")]
mod targets;

fn run(name: &str, target: fn(&[u8]), changes: usize) {
    corpus::run(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"), name, target, changes);
}

#[test]
fn decode_frames() {
    run("decode_frames", targets::decode_frames, 20_000);
}

#[test]
fn metadata() {
    run("metadata", targets::metadata, 20_000);
}

#[test]
fn decompress() {
    run("decompress", targets::decompress, 5000);
}

#[test]
fn pending_ops() {
    run("pending_ops", targets::pending_ops, 20_000);
}
