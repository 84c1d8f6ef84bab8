//! A real DNS server on loopback: dnsmasq, with records that tests change.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long the server may take to start.
const START: Duration = Duration::from_secs(10);

/// Ports are taken below those of outgoing connections, which could hold them.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

pub(crate) struct DnsServer {
    child: Option<Child>,
    port: u16,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

impl DnsServer {
    /// Starts a server of the domain `test` with these records, as in [`set_hosts`](Self::set_hosts). `arguments` are added to
    /// its command line.
    pub(crate) fn start(hosts: &str, arguments: &[&str]) -> DnsServer {
        let arguments = arguments.iter().map(|text| text.to_string()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut server = DnsServer { child: None, port: 0, arguments, folder };
        server.set_hosts(hosts);
        for _ in 0..20 {
            server.port = free_port();
            if server.try_run() {
                return server;
            }
        }
        panic!("dnsmasq found no port");
    }

    /// Whom to ask.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Replaces the records: `ADDRESS NAME`, a line each. Takes effect a little later.
    pub(crate) fn set_hosts(&self, hosts: &str) {
        std::fs::write(self.hosts(), hosts).unwrap();
        if let Some(child) = &self.child {
            let sent = Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
            assert!(sent.success(), "dnsmasq has ended");
        }
    }

    /// The server ends.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The server starts again at its address.
    pub(crate) fn restart(&mut self) {
        assert!(self.try_run(), "port {} is taken", self.port);
    }

    fn hosts(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }

    /// False if it ends instead of listening.
    fn try_run(&mut self) -> bool {
        // Where Debian puts it; a user's own path may lack the folder.
        let path = ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq"].into_iter().find(|path| Path::new(path).exists());
        let mut child = Command::new(path.unwrap_or("dnsmasq"))
            .args(["--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts"])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--local=/test/"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--addn-hosts={}", self.hosts().display()))
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq cannot be started: install dnsmasq-base (`make setup` does)");
        let until = Instant::now() + START;
        // As the system lists sockets: the port in hexadecimal.
        let bound = format!(":{:04X} ", self.port);
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if std::fs::read_to_string("/proc/net/udp").unwrap().contains(&bound) {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < until, "dnsmasq does not listen");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that nobody has, for UDP and TCP. Tests in one process get different ones, and processes begin apart.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let begin = u16::try_from(std::process::id() % u32::from(span)).unwrap();
    loop {
        let port = PORTS.start + (begin + NEXT.fetch_add(7, Ordering::Relaxed) % span) % span;
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        if UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok() {
            return port;
        }
    }
}
