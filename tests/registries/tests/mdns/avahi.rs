//! Avahi beside us, on the same port of the same host.

use crate::support::{Wire, address, apart, eventually, follow, run, server, until_seen};
use hickory_proto::rr::RData;
use rpcx_registries::process::{Process, guarded, program};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const BUS: &str = r#"<busconfig><type>session</type><listen>unix:path=BUS</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;

const AVAHI: &str = "[server]\nhost-name=neighbour\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=v0\n\
                     [publish]\npublish-workstation=no\npublish-hinfo=no\n";

/// It looks for a user of its own, and keeps its number where only one of a machine can.
const START: &str = "for of in passwd group; do cat /etc/$of $1/$of.more >$1/$of; mount --bind $1/$of /etc/$of; done; \
                     mount -t tmpfs none /run; exec $2 -f $1/avahi.conf --no-drop-root --no-chroot --no-rlimits";

/// A daemon of this network, with a bus on which to ask it.
struct Avahi {
    folder: TempDir,
    _bus: Process,
    _daemon: Process,
}

impl Avahi {
    async fn start() -> Avahi {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(at(name), text).expect("written");
        write("bus.conf", &BUS.replace("BUS", &at("bus").display().to_string()));
        write("avahi.conf", AVAHI);
        write("passwd.more", "avahi:x:999:999::/:/bin/false\n");
        write("group.more", "avahi:x:999:\n");
        let mut bus = guarded(&program("dbus-daemon"));
        bus.args(["--nofork", "--nopidfile", "--config-file"]).arg(at("bus.conf"));
        let bus = Process::start(bus, &at("bus.log"));
        eventually("the bus", async || at("bus").exists()).await;
        let mut daemon = guarded("unshare");
        daemon.args(["--mount", "sh", "-ec", START, "sh"]).arg(folder.path()).arg(program("avahi-daemon"));
        surroundings(&mut daemon, folder.path());
        let daemon = Process::start(daemon, &at("log"));
        let avahi = Avahi { folder, _bus: bus, _daemon: daemon };
        eventually("Avahi itself", async || avahi.resolve("neighbour.local").is_some()).await;
        avahi
    }

    /// The address of a host, as it finds it.
    fn resolve(&self, host: &str) -> Option<String> {
        let mut command = Command::new(program("avahi-resolve"));
        surroundings(&mut command, self.folder.path());
        let output = command.args(["-4", "-n", host]).output().expect("avahi-resolve: run `make setup`");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().nth(1).map(str::to_owned)
    }
}

/// Its libraries where it was unpacked and not installed, and its bus.
fn surroundings(command: &mut Command, folder: &Path) {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/registries/usr/lib");
    let found: Vec<PathBuf> =
        std::fs::read_dir(libraries).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let mut bus = OsString::from("unix:path=");
    bus.push(folder.join("bus"));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(found).expect("a path")).env("DBUS_SYSTEM_BUS_ADDRESS", bus);
}

apart! {
    fn avahi_shares_the_port_and_finds_our_host() {
        run(async {
            let avahi = Avahi::start().await;
            let wire = Wire::new();
            let server = server("mdns://", &[]).await;
            let announced = wire.hear("an announcement", |message| {
                message.answers.iter().any(|record| matches!(record.data, RData::SRV(_)))
            });
            let host = announced.answers.iter().find_map(|record| match &record.data {
                RData::SRV(service) => Some(service.target.to_ascii()),
                _ => None,
            });
            let host = host.expect("the host");
            assert_eq!(avahi.resolve(host.trim_end_matches('.')).as_deref(), Some("10.99.0.1"));
            until_seen(&follow("mdns://"), &format!("{} live", address(&server))).await;
            drop(server);
            assert_eq!(avahi.resolve("neighbour.local").as_deref(), Some("10.99.0.1"));
        });
    }
}
