//! A folder as a registry: `FOLDER/SERVICE/ADDRESS` is a file with the metadata of one server.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpcx::config::DiscoveryOptions;
use rpcx::discovery::{
    Announced, Announcement, BoxFuture, Discovery, Feed, Node, NodeMetadata, Registry, Scheme, Schemes, Source,
    SourceDiscovery,
};
use rpcx::{Error, Reason, Result};

/// How often clients look.
const INTERVAL: Duration = Duration::from_millis(20);

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Reason::ConnectOther, format!("{}: {error}", path.display()))
}

/// `folder://PATH`, for clients and for servers.
pub(crate) struct FolderScheme;

impl Scheme for FolderScheme {
    fn names(&self) -> &[&str] {
        &["folder"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(SourceDiscovery::new(Folder(rest.into()), DiscoveryOptions::default())?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(FolderRegistry { folder: rest.into(), files: Mutex::default() }))
    }
}

/// The side of clients.
struct Folder(PathBuf);

impl Folder {
    fn list(&self, service: &str) -> Result<Vec<Node>> {
        let path = self.0.join(service);
        let files = match std::fs::read_dir(&path) {
            Ok(files) => files,
            // A service that nobody has announced yet. Any other error leaves the list as it was.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&path, &error)),
        };
        let mut nodes = Vec::new();
        for file in files {
            let file = file.map_err(|error| failed(&path, &error))?;
            // A file that has just gone is a server that has just left.
            let Ok(metadata) = std::fs::read_to_string(file.path()) else { continue };
            nodes.push(Node::new(file.file_name().to_string_lossy(), NodeMetadata::new(&metadata))?);
        }
        Ok(nodes)
    }
}

impl Source for Folder {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            loop {
                match self.list(service) {
                    Ok(nodes) => feed.answer(nodes),
                    Err(error) => return error,
                }
                tokio::time::sleep(INTERVAL).await;
            }
        })
    }
}

/// The side of servers. A real registry would keep a session alive here, and announce again what the registry lost.
struct FolderRegistry {
    folder: PathBuf,
    files: Mutex<Vec<Arc<File>>>,
}

struct File(PathBuf);

impl File {
    fn write(&self, metadata: &NodeMetadata) -> Result<()> {
        std::fs::write(&self.0, metadata.as_str()).map_err(|error| failed(&self.0, &error))
    }

    fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&self.0, &error)),
            _ => Ok(()),
        }
    }
}

impl Registry for FolderRegistry {
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async move {
            let address = announcement.node.address();
            if address.contains('/') || announcement.service.contains('/') {
                let text = format!("{address} of {} has a /: a folder cannot hold it", announcement.service);
                return Err(Error::new(Reason::ConfigBadArgument, text));
            }
            let folder = self.folder.join(&*announcement.service);
            std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
            let file = Arc::new(File(folder.join(address)));
            file.write(announcement.node.metadata())?;
            self.files.lock().unwrap_or_else(PoisonError::into_inner).push(file.clone());
            Ok(Arc::new(Handle(file)) as Arc<dyn Announced>)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for file in std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner)) {
                // Whoever finds it later finds nobody there.
                let _ = file.remove();
            }
        })
    }
}

struct Handle(Arc<File>);

impl Announced for Handle {
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.0.write(&metadata) })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.0.remove() })
    }
}
