//! What our clients see, and when.

use super::support::{discovery, seen, until_seen};
use super::{Ours, Registry};
use crate::wait::run;

/// Nodes that come, change and go; a service whose name begins like another's; addresses with slashes.
///
/// # Panics
/// When it is not so.
pub fn a_list_is_followed_within_a_second<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        registry.put("/list", "Arith2", "tcp@127.0.0.1:9", "weight=9").await;
        registry.put("/list", "Arith", "tcp@127.0.0.1:1", "weight=7").await;
        registry.put("/list", "Arith", "tcp@127.0.0.1:3", "").await;
        let discovery = discovery::<R>(&registry.url("/list", "empty_hold=60s"));
        let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
        until_seen(&arith, "tcp@127.0.0.1:1?weight=7 tcp@127.0.0.1:3 live").await;
        until_seen(&second, "tcp@127.0.0.1:9?weight=9 live").await;
        let third = "tcp@127.0.0.1:3 live";
        registry.put("/list", "Arith", "tcp@127.0.0.1:1", "state=inactive&weight=3").await;
        let mut longest = until_seen(&arith, &format!("tcp@127.0.0.1:1?state=inactive&weight=3 {third}")).await;
        registry.delete("/list", "Arith", "tcp@127.0.0.1:1").await;
        longest = longest.max(until_seen(&arith, third).await);
        registry.put("/list", "Arith", "tcp@127.0.0.1:2", "").await;
        longest = longest.max(until_seen(&arith, &format!("tcp@127.0.0.1:2 {third}")).await);
        registry.delete("/list", "Arith", "tcp@127.0.0.1:2").await;
        registry.delete("/list", "Arith", "tcp@127.0.0.1:3").await;
        longest = longest.max(until_seen(&arith, "live").await);
        println!("the slowest change was there after {longest:.1?}");
        assert!(longest < R::SEEN, "{longest:?}");
        assert_eq!(seen(&second), "tcp@127.0.0.1:9?weight=9 live");
        discovery.close();
    });
}
