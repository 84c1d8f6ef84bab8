//! Faults in any order, one after the other, under calls.

use crate::support::{LIMIT, MARGIN, call, client, comes_down, ms, raw, recovers, run_within, victim};
use rpcx::error::ErrorKind;
use rpcx_faults::{Fault, Proxy, held};
use std::time::{Duration, Instant};

#[test]
fn faults_in_any_order_leave_nothing_behind() {
    soak(2);
}

/// The same for as many seconds as `RPCX_SOAK` says; ten minutes without it. Of the output, test-deep's report has the
/// lines that begin with `measured`.
#[test]
#[ignore = "runs for minutes: make test-deep"]
fn faults_in_any_order_for_long_leave_nothing_behind() {
    soak(std::env::var("RPCX_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(600));
}

fn soak(seconds: u64) {
    let soak = Duration::from_secs(seconds);
    run_within(LIMIT + soak, async {
        let server = victim(&["write_timeout=500ms", "read_timeout=500ms"]);
        let proxy = Proxy::start(server.address()).await.unwrap();
        let client = client(&proxy.url()).option("timeout", "1s").build().unwrap();
        let service = raw(&client);
        assert!(call(&service, "Echo", b"").await.is_ok());
        let before = (held(std::process::id()).unwrap(), held(server.id()).unwrap());
        let until = Instant::now() + soak;
        let callers: Vec<_> = (0..20_u8)
            .map(|i| {
                let service = service.clone();
                tokio::spawn(async move {
                    let (mut good, mut bad) = (0_u64, 0_u64);
                    while Instant::now() < until {
                        let payload = vec![i; 50 + usize::from(i) * 700];
                        let began = Instant::now();
                        match call(&service, "Echo", &payload).await {
                            Ok(answer) => {
                                assert!(answer == payload, "an answer of another call");
                                good += 1;
                            }
                            Err(error) => {
                                assert!(
                                    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Protocol),
                                    "{error:?}"
                                );
                                bad += 1;
                                tokio::time::sleep(ms(5)).await; // a caller that does not spin
                            }
                        }
                        assert!(began.elapsed() < Duration::from_secs(1) + MARGIN, "{:?}", began.elapsed());
                    }
                    (good, bad)
                })
            })
            .collect();
        let mut state = 1_u64;
        while Instant::now() < until {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            proxy.set(match (state >> 33) % 9 {
                0 => Fault::Delay(ms(30)),
                1 => Fault::Stall,
                2 => Fault::HalfOpen,
                3 => Fault::Reset,
                4 => Fault::Throttle(200_000),
                5 => Fault::OneByte,
                6 => Fault::CutAfter((state >> 40) as usize % 5000),
                _ => Fault::None,
            });
            tokio::time::sleep(ms(100 + (state >> 50) % 200)).await; // how long it lasts
        }
        proxy.set(Fault::None);
        let (mut good, mut bad) = (0, 0);
        for caller in callers {
            let (ok, failed) = caller.await.unwrap();
            good += ok;
            bad += failed;
        }
        println!("measured: calls: {good} succeeded, {bad} failed in {seconds} s");
        assert!(good > 0);
        recovers(&service).await;
        for (who, process, before) in [("client", std::process::id(), before.0), ("server", server.id(), before.1)] {
            comes_down(process, before, 32 << 10).await;
            let after = held(process).unwrap();
            println!(
                "measured: {who}: {} KiB before and {} after, {} descriptors before and {} after",
                before.memory_kib, after.memory_kib, before.descriptors, after.descriptors
            );
        }
    });
}
