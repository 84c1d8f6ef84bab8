//! The last known servers in a file, for a client that starts while its registry is down.

use super::{BoxFuture, Discovery, Feed, Node, NodeMetadata, SnapshotState, Source, SourceDiscovery, Watch};
use crate::config::DiscoveryOptions;
use crate::error::{Error, Reason, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A larger file is none of ours.
const MAX_SIZE: u64 = 64 << 20;

/// Keeps what another discovery finds in files, one for each service, and begins with what they hold: calls go to the
/// servers of last time, marked `Stale`, until the other discovery has answered. Its URL is `cache://FOLDER?of=URL`.
///
/// `FOLDER/SERVICE.json` has the form of Go's cached discovery: `[{"Key":"tcp@10.0.0.1:8972","Value":"weight=7"}]`. It is
/// replaced as a whole whenever the live nodes change, so a reader never sees half of it. A file that cannot be read counts
/// as none, and one that cannot be written is logged.
///
/// An empty first answer may come from a registry that has lost its data: the servers of the file stay in use for
/// `empty_hold`. Closing the cache closes the discovery in it.
///
/// ```
/// use rpcx::config::DiscoveryOptions;
/// use rpcx::discovery::{Discovery, FileCache, Schemes};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let found = Schemes::default().open("multiple://tcp@10.0.0.1:8972?weight=7")?;
/// let cache = FileCache::new(folder, found, DiscoveryOptions::default())?;
/// assert_eq!(cache.watch("Arith").known().await.expect("open").len(), 1);
/// # Ok::<(), rpcx::Error>(())
/// # }).unwrap();
/// ```
pub struct FileCache(SourceDiscovery<Cached>);

impl FileCache {
    /// Caches what `inner` finds below `folder`, which is made when it is first needed.
    ///
    /// # Errors
    ///
    /// `config.bad_value` for options out of their range.
    pub fn new(folder: impl Into<PathBuf>, inner: Arc<dyn Discovery>, options: DiscoveryOptions) -> Result<Self> {
        SourceDiscovery::new(Cached { folder: folder.into(), inner }, options).map(Self)
    }

    /// The file of a service. Characters of its name that mean something in paths are written as `%2F`.
    pub fn path_of(&self, service: &str) -> PathBuf {
        self.0.source().path_of(service)
    }
}

impl Discovery for FileCache {
    fn watch(&self, service: &str) -> Watch {
        self.0.watch(service)
    }

    fn close(&self) {
        self.0.close();
    }

    fn set_nodes(&self, nodes: Vec<Node>) -> Result<()> {
        self.0.source().inner.set_nodes(nodes)
    }
}

impl fmt::Debug for FileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileCache").field(&self.0.source().folder).finish()
    }
}

struct Cached {
    folder: PathBuf,
    inner: Arc<dyn Discovery>,
}

impl Cached {
    fn path_of(&self, service: &str) -> PathBuf {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let mut name = String::with_capacity(service.len());
        for byte in service.bytes() {
            match byte {
                byte if plain(byte) => name.push(char::from(byte)),
                byte => name += &format!("%{byte:02X}"),
            }
        }
        // Names of files end at 255 bytes.
        if name.len() > 200 {
            name.truncate(180);
            name += &format!("%{:016x}", twox_hash::XxHash3_64::oneshot(service.as_bytes()));
        }
        self.folder.join(name + ".json")
    }
}

impl Source for Cached {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            let path = self.path_of(service);
            let mut watch = self.inner.watch(service);
            let mut latest = watch.latest();
            // What the inner one knows at once is better than any memory.
            if latest.state() == SnapshotState::Unknown {
                let of_file = path.clone();
                match tokio::task::spawn_blocking(move || read(&of_file)).await {
                    Ok(Ok(nodes)) if !nodes.is_empty() => feed.remember(nodes),
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    Ok(Err(error)) => {
                        tracing::warn!(target: "rpcx::discovery", path = %path.display(), %error, "a cached list of servers is of no use");
                    }
                    Err(_) => return Error::new(Reason::ClosedLocal, "the runtime ends"),
                }
                latest = watch.latest();
            }
            let mut remembers = !feed.is_unknown();
            loop {
                match latest.state() {
                    SnapshotState::Live => {
                        remembers &= latest.is_empty();
                        let nodes = latest.nodes().to_vec();
                        // An empty answer is in doubt beside a memory; from then on the inner one judges by itself.
                        if remembers {
                            feed.answer(nodes)
                        } else {
                            feed.believe(nodes)
                        }
                        store(&path, latest.nodes().to_vec()).await;
                    }
                    state => {
                        if state != SnapshotState::Unknown && feed.is_unknown() {
                            feed.remember(latest.nodes().to_vec());
                        }
                        let why = watch.problem();
                        let why = why.as_deref().unwrap_or("the cached discovery has not answered");
                        feed.interrupted(&Error::new(Reason::ConnectOther, why.to_owned()));
                    }
                }
                latest = match watch.changed().await {
                    Some(next) => next,
                    // It was closed from outside. What is known stays.
                    None => return Error::new(Reason::ClosedLocal, "the cached discovery was closed"),
                };
            }
        })
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// An entry as Go writes it.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "Key", alias = "key")]
    key: String,
    #[serde(rename = "Value", alias = "value", default)]
    value: String,
}

/// The nodes of a file's content. Entries without an address are left out.
fn parse(json: &[u8]) -> io::Result<Vec<Node>> {
    // Go writes an empty list as null.
    let entries: Option<Vec<Entry>> = serde_json::from_slice(json)?;
    let node = |entry: Entry| Node::new(entry.key, NodeMetadata::new(&entry.value)).ok();
    Ok(entries.unwrap_or_default().into_iter().filter_map(node).collect())
}

fn render(nodes: &[Node]) -> io::Result<Vec<u8>> {
    let entries =
        nodes.iter().map(|node| Entry { key: node.address().to_owned(), value: node.metadata().as_str().to_owned() });
    let json = serde_json::to_string(&entries.collect::<Vec<_>>())?;
    // As Go's encoder does, so that both write the same file.
    let mut written = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' => written += &format!("\\u{:04x}", u32::from(character)),
            plain => written.push(plain),
        }
    }
    Ok(written.into_bytes())
}

fn read(path: &Path) -> io::Result<Vec<Node>> {
    let mut json = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut json)?;
    if json.len() as u64 > MAX_SIZE {
        return Err(io::Error::other(format!("larger than {MAX_SIZE} bytes")));
    }
    parse(&json)
}

/// Writes the file off the runtime's thread, unless it holds these nodes already.
async fn store(path: &Path, nodes: Vec<Node>) {
    let of_file = path.to_owned();
    let stored = tokio::task::spawn_blocking(move || write(&of_file, &nodes)).await;
    if let Ok(Err(error)) = stored {
        tracing::warn!(target: "rpcx::discovery", path = %path.display(), %error, "a list of servers was not cached");
    }
}

fn write(path: &Path, nodes: &[Node]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let json = render(nodes)?;
    if std::fs::read(path).is_ok_and(|old| old == json) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Beside it, under a name of its own: several processes may share the folder.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = std::fs::File::create_new(&beside)
        .and_then(|mut file| file.write_all(&json))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // Nothing is left behind; the error that counts is the first.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests;
