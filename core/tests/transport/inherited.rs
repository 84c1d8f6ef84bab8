//! Listeners that come from outside: a descriptor of this process, and one inherited through the environment.

use crate::support::{accept, address, assert_error, bind, dial, exchange, pair, run};
use rpcx::error::Reason;
use rpcx::transport::{ListenOptions, Transports};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_listener_is_handed_over_and_serves_on() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let transports = Transports::default();
        for at in ["tcp@127.0.0.1:0", &format!("unix@{}", path.display())] {
            let old = bind(&transports, at).await;
            let to = old.address();
            // Connects before the handover: waits in the queue that both share.
            let early = dial(&transports, &to).await.unwrap();
            let descriptor = old.try_clone_fd().unwrap();
            drop(old);
            let mut new = transports.adopt(descriptor, &ListenOptions::default()).unwrap();
            assert_eq!(new.address(), to);
            exchange(early, accept(&mut *new).await.unwrap()).await;
            let (client, server) = pair(&transports, &mut *new).await;
            exchange(client, server).await;
        }
        assert!(path.exists(), "the file belongs to the process that took over");
    });
}

#[test]
fn what_is_no_listener_is_not_taken() {
    run(async {
        let transports = Transports::default();
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let datagram = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let connected = OwnedFd::from(std::os::unix::net::UnixStream::pair().unwrap().0);
        for (descriptor, named) in
            [(file, "no socket"), (datagram, "no listening stream socket"), (connected, "no listening stream socket")]
        {
            let error = transports.adopt(descriptor, &ListenOptions::default()).map(|_| ()).unwrap_err();
            assert_error(&error, Reason::ConfigListen, named);
        }
    });
}

/// Runs this test program again with two listeners as its descriptors 3 and 4, announced as systemd does it.
#[test]
fn listeners_are_inherited_through_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (mut child, tcp, unix) = run(async {
        let transports = Transports::default();
        let tcp = bind(&transports, "tcp@127.0.0.1:0").await;
        let unix = bind(&transports, &format!("unix@{}", path.display())).await;
        let child = Command::new("sh")
            .args(["-c", r#"exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec "$@""#, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "inherited::serves_what_it_inherited", "--ignored", "--nocapture"])
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "web:local")
            .stdin(tcp.try_clone_fd().unwrap())
            .stdout(unix.try_clone_fd().unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        (child, tcp.address(), unix.address())
        // Both listeners are dropped here: only the child serves now.
    });
    for to in [tcp, unix] {
        run(async {
            let (mut stream, _) = dial(&Transports::default(), &to).await.unwrap().into_stream();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, format!("ping from {to}"));
        });
    }
    assert!(child.wait().unwrap().success());
}

#[test]
#[ignore = "the other half of listeners_are_inherited_through_the_environment, which starts it"]
fn serves_what_it_inherited() {
    run(async {
        let transports = Transports::default();
        let mut web = bind(&transports, "fd@web").await;
        let mut local = bind(&transports, "fd@4").await;
        for (at, named) in [("fd@3", "taken before"), ("fd@5", "announced 2"), ("fd@other", "\"other\"")] {
            let error = transports.bind(&address(at), &ListenOptions::default()).await.map(|_| ()).unwrap_err();
            assert_error(&error, Reason::ConfigListen, named);
        }
        assert!(std::env::var_os("LISTEN_FDS").is_none(), "a child process would take them for its own");
        for listener in [&mut web, &mut local] {
            let from = listener.address();
            let (mut stream, _) = accept(&mut **listener).await.unwrap().into_stream();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).await.unwrap();
            assert_eq!(&asked, b"ping");
            stream.write_all(format!("ping from {from}").as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
}
