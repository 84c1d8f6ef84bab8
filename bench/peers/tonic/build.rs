//! Generates the gRPC service; the message is the harness's.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto/benchmark.proto");
    let files = protox::compile(["benchmark.proto"], ["../../proto"])?;
    tonic_prost_build::configure()
        .extern_path(".pb.BenchmarkMessage", "::bench_harness::BenchmarkMessage")
        .compile_fds(files)?;
    Ok(())
}
