//! The network fails, and servers on it.

use crate::support::{
    Duration, Instant, LIMIT, OURS, Talker, address, addresses, apart, client, discovery, eventually, follow, ip,
    multiply, run, seen, server, server_process, until_seen,
};

apart! {
    fn a_network_that_is_down_costs_no_server() {
        run(async {
            let url = "mdns://?ttl=2s&empty_hold=3s";
            let servers = [server_process(url, &[]), server_process(url, &[])];
            let discovery = discovery(url);
            let watch = discovery.watch("Arith");
            eventually("both are seen", async || addresses(&watch).len() == 2).await;
            let before = addresses(&watch);
            for (down, up) in [
                ("link set v0 down", "link set v0 up"),
                ("addr del 10.99.0.1/24 dev v0", "addr add 10.99.0.1/24 dev v0"),
                // As if the cable were pulled.
                ("link set v1 down", "link set v1 up"),
            ] {
                ip(down);
                let reason = async || watch.problem().is_some_and(|problem| problem.contains("no interface"));
                let stale = eventually("the reason", reason).await;
                assert!(seen(&watch).ends_with("stale"), "{}", seen(&watch));
                tokio::time::sleep(Duration::from_secs(5)).await;
                assert_eq!(addresses(&watch), before, "longer than the time to live");
                assert_eq!(multiply(&client(&format!("multiple://{}", before.join(",")))).await.unwrap(), 42);
                ip(up);
                let mut follower = watch.clone();
                let back = eventually("it is live", async || seen(&watch).ends_with("live")).await;
                println!("{down}: noticed after {stale:.1?}; live again {back:.1?} after the network was back");
                assert_eq!(addresses(&watch), before);
                // Nor are they lost a moment later.
                let until = Instant::now() + Duration::from_secs(4);
                while let Ok(Some(next)) = tokio::time::timeout_at(until.into(), follower.changed()).await {
                    assert_eq!(next.len(), 2, "{next:?}");
                }
            }
            for (mut server, _) in servers {
                server.finish();
                server.hear("its end", |line| line == "ended");
            }
            until_seen(&watch, "live").await;
        });
    }
}

apart! {
    fn when_all_fall_silent_the_last_stay_as_stale() {
        run(async {
            let discovery = discovery("mdns://?empty_hold=8s");
            let watch = discovery.watch("Arith");
            let (mut first, at) = server_process("mdns://?ttl=2s", &[]);
            let (mut second, _) = server_process("mdns://?ttl=2s", &[]);
            eventually("both are seen", async || addresses(&watch).len() == 2).await;
            second.process().kill();
            let alone = until_seen(&watch, &format!("{at} live")).await;
            first.process().kill();
            let stale = until_seen(&watch, &format!("{at} stale")).await;
            println!("one of two was gone after {alone:.1?}, the last one was stale after {stale:.1?}; ttl=2s");
            let (mut third, at) = server_process("mdns://?ttl=2s", &[]);
            until_seen(&watch, &format!("{at} live")).await;
            third.process().kill();
            until_seen(&watch, &format!("{at} stale")).await;
            let gone = until_seen(&watch, "live").await;
            assert!(gone > Duration::from_secs(6), "{gone:?}");
        });
    }
}

apart! {
    fn one_that_lives_shorter_than_the_others_leaves_alone() {
        run(async {
            let watch = follow("mdns://");
            let (_stays, first) = server_process("mdns://?ttl=30s", &[]);
            until_seen(&watch, &format!("{first} live")).await;
            // By then the next question is ten seconds away.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let (mut short, _) = server_process("mdns://?ttl=2s", &[]);
            eventually("both are seen", async || addresses(&watch).len() == 2).await;
            let mut follower = watch.clone();
            short.process().kill();
            let until = Instant::now() + Duration::from_secs(8);
            let mut left = false;
            while let Ok(Some(next)) = tokio::time::timeout_at(until.into(), follower.changed()).await {
                assert_eq!(next.state(), rpcx::discovery::SnapshotState::Live, "the other one is heard");
                left |= next.len() == 1;
            }
            assert!(left && addresses(&watch) == [first]);
        });
    }
}

apart! {
    fn a_server_that_stands_still_leaves_and_comes_back() {
        run(async {
            let url = "mdns://?ttl=2s";
            let (_stays, first) = server_process(url, &[]);
            let (mut paused, second) = server_process(url, &[]);
            let watch = follow(url);
            eventually("both are seen", async || addresses(&watch).len() == 2).await;
            paused.process().signal("STOP");
            let left = until_seen(&watch, &format!("{first} live")).await;
            paused.process().signal("CONT");
            let back = eventually("it is back", async || addresses(&watch).contains(&second)).await;
            println!("a server that stood still was gone after {left:.1?} (ttl=2s), and back after {back:.1?}");
            assert!(left < Duration::from_secs(6) && back < Duration::from_secs(3));
        });
    }
}

apart! {
    fn clients_see_servers_of_before_and_after_within_a_second() {
        run(async {
            let url = "mdns://?update_interval=1h";
            let early = follow(url);
            until_seen(&early, "live").await;
            let began = Instant::now();
            let server = server(url, &[]).await;
            let at = address(&server);
            until_seen(&early, &format!("{at} live")).await;
            let announced = began.elapsed();
            let (mut longest, mut others) = (Duration::ZERO, Vec::new());
            for _ in 0..5 {
                // Another one has asked just now.
                let late = follow(url);
                longest = longest.max(until_seen(&late, &format!("{at} live")).await);
                others.push(late);
            }
            println!("a new server was seen after {announced:.1?}, servers by a new client after {longest:.1?}");
            assert!(announced < Duration::from_secs(1) && longest < Duration::from_secs(1));
            // What the server's metadata are now.
            server.set_metadata("Arith", "weight=3");
            let changed = until_seen(&early, &format!("{at}?weight=3 live")).await;
            assert!(changed < Duration::from_secs(1), "{changed:?}");
            server.shutdown(LIMIT).await.unwrap();
            let gone = until_seen(&early, "live").await;
            assert!(gone < Duration::from_secs(1), "{gone:?}");
        });
    }
}

apart! {
    fn hosts_of_one_network_find_each_other() {
        run(async {
            let neighbour = Neighbour::new();
            let url = "mdns://?ttl=2s&empty_hold=3s";
            let watch = follow(url);
            until_seen(&watch, "live").await;
            let mut server = neighbour.run(&[OURS.server, &[url, "bind=tcp@10.99.0.2:0"]].concat());
            let at = server.hear("its address", |line| line.starts_with("serving "))["serving ".len()..].to_owned();
            let seen = until_seen(&watch, &format!("{at} live")).await;
            assert_eq!(multiply(&client(url)).await.unwrap(), 42);
            server.process().kill();
            let stale = until_seen(&watch, &format!("{at} stale")).await;
            println!("on another host: seen after {seen:.1?}, and when it was killed stale after {stale:.1?}; ttl=2s");
            let mut server = neighbour.run(&[OURS.server, &[url, "bind=tcp@10.99.0.2:0"]].concat());
            let at = server.hear("its address", |line| line.starts_with("serving "))["serving ".len()..].to_owned();
            until_seen(&watch, &format!("{at} live")).await;
            server.finish();
            server.hear("its end", |line| line == "ended");
            eventually("nobody", async || addresses(&watch).is_empty()).await;
        });
    }
}

/// Another host at the other end of the network: 10.99.0.2.
struct Neighbour {
    /// The process whose network it is, for as long as it lives.
    _holder: Talker,
    number: u32,
}

impl Neighbour {
    fn new() -> Neighbour {
        let arguments = ["--net", "sh", "-c", "echo up; exec cat"].map(str::to_owned);
        let mut holder = Talker::start("unshare", &arguments);
        holder.hear("its beginning", |line| line == "up");
        let number = holder.process().id();
        ip(&format!("link set v1 netns {number}"));
        let neighbour = Neighbour { _holder: holder, number };
        let setup = "ip link set lo up; ip addr add 10.99.0.2/24 dev v1; ip link set v1 up multicast on; echo done";
        neighbour.run(&["sh", "-ec", setup]).hear("its network", |line| line == "done");
        neighbour
    }

    /// Runs a program there.
    fn run(&self, command: &[&str]) -> Talker {
        let place = format!("--net=/proc/{}/ns/net", self.number);
        let arguments: Vec<_> =
            [&[place.as_str(), "--"], command].concat().iter().map(|text| (*text).to_owned()).collect();
        Talker::start("nsenter", &arguments)
    }
}

apart! {
    fn a_host_that_is_alone_finds_its_own_programs() {
        run(async {
            ip("link del v0");
            let (server, url) = (server("mdns://", &[]).await, "mdns://");
            until_seen(&follow(url), &format!("{} live", address(&server))).await;
            server.shutdown(LIMIT).await.unwrap();
        });
    }
}

apart! {
    fn the_interface_and_the_version_of_ip_may_be_chosen() {
        run(async {
            ip("addr add fd00::1/64 dev v0 nodad");
            for options in ["interface=v0", "interface=10.99.0.1,lo", "interface=v0&ipv6=true"] {
                let url = format!("mdns://?{options}");
                let server = server(&url, &[]).await;
                let at = address(&server);
                until_seen(&follow(&url), &format!("{at} live")).await;
                until_seen(&follow("mdns://"), &format!("{at} live")).await;
                until_seen(&follow("mdns://other"), "live").await;
                server.shutdown(LIMIT).await.unwrap();
            }
            // Without IPv4 the other version is used.
            ip("addr del 10.99.0.1/24 dev v0");
            let server = server("mdns://", &[]).await;
            until_seen(&follow("mdns://"), &format!("{} live", address(&server))).await;
            let watch = follow("mdns://?interface=v7");
            eventually("the reason", async || watch.problem().is_some_and(|problem| problem.contains("v7"))).await;
            server.shutdown(LIMIT).await.unwrap();
        });
    }
}
