//! An ensemble of three servers, of which any two are enough.

use super::{class_path, told};
use crate::daemon::Program;
use crate::process::guarded;
use crate::wait::until;
use crate::{Daemon, Port};
use librpcx_zookeeper::wire::{Ensemble, Server, Session};
use rpcx::transport::Transports;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const COUNT: usize = 3;

/// Three servers on loopback; killed when dropped.
#[derive(Debug)]
pub struct Quorum(Vec<Daemon>);

impl Quorum {
    /// Starts it, and waits until it takes requests.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start() -> Quorum {
        let between = Arc::new((0..2 * COUNT).map(|_| Port::free()).collect::<Vec<_>>());
        let member = |id| Daemon::start(Member { id, between: between.clone() });
        let quorum = Quorum((1..=COUNT).map(member).collect());
        quorum.session().await;
        quorum
    }

    /// `host:port` of each, by comma.
    pub fn hosts(&self) -> String {
        let hosts: Vec<_> = self.0.iter().map(|member| format!("127.0.0.1:{}", member.port(0))).collect();
        hosts.join(",")
    }

    /// One of them.
    pub fn member(&mut self, index: usize) -> &mut Daemon {
        &mut self.0[index]
    }

    /// Whether one of them serves.
    pub fn serves(&self, index: usize) -> bool {
        told(self.0[index].port(0), b"srvr").is_ok_and(|answer| answer.contains("Mode: "))
    }

    /// A session of the test's own, with any that serves.
    ///
    /// # Panics
    /// When none does.
    pub async fn session(&self) -> Session {
        let server = Server {
            hosts: self.hosts().split(',').map(str::to_owned).collect(),
            transports: Transports::default(),
            user: None,
            timeout: Duration::from_secs(20),
            beat: None,
        };
        until("a session", async || Ensemble::new().open(&server, None).await.ok()).await.0
    }
}

/// One server.
struct Member {
    id: usize,
    /// Two ports of each, for the others.
    between: Arc<Vec<Port>>,
}

impl Program for Member {
    fn name(&self) -> &'static str {
        "a ZooKeeper of three"
    }

    fn ports(&self) -> usize {
        1
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let data = folder.join("data");
        fs::write(data.join("myid"), self.id.to_string()).expect("its number");
        let mut text = format!(
            "tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\n4lw.commands.whitelist=srvr\nminSessionTimeout=400\nmaxSessionTimeout=60000\n",
            data.display(),
            ports[0],
        );
        for (index, pair) in self.between.chunks(2).enumerate() {
            text += &format!("server.{}=127.0.0.1:{}:{}\n", index + 1, pair[0].number(), pair[1].number());
        }
        let file = folder.join("zoo.cfg");
        fs::write(&file, text).expect("its configuration");
        let mut command = guarded("java");
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no"])
            .args(["-cp", &class_path()])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(file);
        command
    }

    /// It answers; whether it serves depends on the others.
    fn is_ready(&self, ports: &[u16]) -> bool {
        told(ports[0], b"srvr").is_ok_and(|answer| !answer.is_empty())
    }
}
