//! The files of Unix sockets: which are replaced, and which removed.

use crate::support::{accept, address, assert_error, bind, dial, run};
use rpcx::error::Reason;
use rpcx::transport::{ListenOptions, Transports};

#[test]
fn a_file_on_which_nobody_listens_is_replaced() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let transports = Transports::default();
        let mut listener = bind(&transports, &format!("unix@{}", path.display())).await;
        let to = listener.address();
        let (client, server) = tokio::join!(dial(&transports, &to), accept(&mut *listener));
        assert!(client.is_ok() && server.is_ok());
        drop(listener);
        assert!(!path.exists());
    });
}

#[test]
fn neither_a_live_socket_nor_another_kind_of_file_is_replaced() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let transports = Transports::default();
        let at = format!("unix@{}", folder.path().join("live").display());
        let mut live = bind(&transports, &at).await;
        let error = transports.bind(&address(&at), &ListenOptions::default()).await.map(|_| ()).unwrap_err();
        assert_error(&error, Reason::ConfigListen, &at);
        let to = live.address();
        // The look whether somebody listens is a connection too.
        let (client, server) = tokio::join!(dial(&transports, &to), async {
            live.accept().await.unwrap();
            accept(&mut *live).await
        });
        assert!(client.is_ok() && server.is_ok());

        let file = folder.path().join("file");
        std::fs::write(&file, "data").unwrap();
        let at = format!("unix@{}", file.display());
        let error = transports.bind(&address(&at), &ListenOptions::default()).await.map(|_| ()).unwrap_err();
        assert_error(&error, Reason::ConfigListen, &at);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    });
}

#[test]
fn a_file_that_took_the_place_of_ours_stays() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = bind(&Transports::default(), &format!("unix@{}", path.display())).await;
        // Made before ours goes away, so that it cannot get the same inode.
        let other = folder.path().join("other");
        let _successor = std::os::unix::net::UnixListener::bind(&other).unwrap();
        std::fs::rename(&other, &path).unwrap();
        drop(listener);
        assert!(path.exists());
    });
}
