//! Tests of the cache: the form of its files, and what a client sees when its registry is down at the start.

use super::*;
use crate::discovery::Multiple;
use proptest::prelude::*;
use std::time::Duration;

/// What Go's rpcx writes for these nodes.
const GO: &str =
    r#"[{"Key":"tcp@127.0.0.1:8972","Value":"weight=7\u0026group=a"},{"Key":"unix@/run/a.sock","Value":""}]"#;

fn nodes(text: &str) -> Vec<Node> {
    text.split_terminator(',').map(|node| node.parse().expect(node)).collect()
}

fn texts(nodes: &[Node]) -> String {
    nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(",")
}

/// A discovery that can be told what happens to it.
struct Told(super::super::Publisher);

impl Discovery for Told {
    fn watch(&self, _service: &str) -> Watch {
        self.0.watch()
    }

    fn close(&self) {
        self.0.close();
    }
}

fn cache(folder: &Path) -> (FileCache, Arc<Told>) {
    let told = Arc::new(Told(super::super::Publisher::new()));
    let options = DiscoveryOptions { empty_hold: Duration::from_secs(60), ..DiscoveryOptions::default() };
    (FileCache::new(folder, told.clone(), options).expect("options"), told)
}

/// The next thing to be seen: nodes and state.
async fn next(watch: &mut Watch) -> (String, bool) {
    let next = tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.expect("a change").expect("open");
    (texts(next.nodes()), next.state() == SnapshotState::Live)
}

/// Waits for a file to hold this.
async fn until_file(path: &Path, content: &str) {
    for _ in 0..20_000 {
        if std::fs::read_to_string(path).is_ok_and(|found| found == content) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} does not hold {content}", path.display());
}

#[test]
fn the_form_is_go_s() {
    let list = nodes("tcp@127.0.0.1:8972?weight=7&group=a,unix@/run/a.sock");
    assert_eq!(render(&list).expect("render"), GO.as_bytes());
    assert_eq!(parse(GO.as_bytes()).expect("parse"), list);
    for (json, expected) in [
        ("null", ""),
        ("[]", ""),
        (r#" [ {"Value":"a=1", "Key":"h:1", "More":{}} , {"Key":""}, {"Key":"i:1"} ] "#, "h:1?a=1,i:1"),
    ] {
        assert_eq!(texts(&parse(json.as_bytes()).expect(json)), expected);
    }
    for json in ["", "[", "{}", "[1]", "[{}]", r#"[{"Key":1}]"#, "[] x"] {
        assert!(parse(json.as_bytes()).is_err(), "{json}");
    }
}

/// Files that Go's rpcx wrote: read as what Go was given, and written alike.
#[test]
fn files_of_go_are_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/discovery_cache.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect(path)).expect(path);
    let files = vectors["files"].as_array().expect("files");
    assert!(!files.is_empty());
    for case in files {
        let text = |of: &serde_json::Value| of.as_str().expect("a text").to_owned();
        let given: Vec<_> = case["nodes"].as_array().expect("nodes").iter().collect();
        let given: Vec<_> = given.iter().map(|node| (text(&node["address"]), text(&node["metadata"]))).collect();
        let file = text(&case["file"]);
        let read = parse(file.as_bytes()).expect("a file of Go's");
        let found: Vec<_> =
            read.iter().map(|node| (node.address().to_owned(), node.metadata().as_str().to_owned())).collect();
        assert_eq!(found, given, "{}", case["name"]);
        assert_eq!(String::from_utf8(render(&read).expect("render")).expect("text"), file, "{}", case["name"]);
    }
}

#[tokio::test]
async fn the_servers_of_last_time_are_used_while_the_registry_is_down() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("Arith.json"), GO).expect("write");
    let (cache, told) = cache(folder.path());
    let mut watch = cache.watch("Arith");
    let known = watch.known().await.expect("open");
    assert_eq!(texts(known.nodes()), "tcp@127.0.0.1:8972?weight=7&group=a,unix@/run/a.sock");
    assert!(matches!(known.state(), SnapshotState::Stale(_)));
    // An empty registry is not believed at once, servers are.
    told.0.publish(Vec::new());
    told.0.publish(nodes("new:1"));
    assert_eq!(next(&mut watch).await, ("new:1".into(), true));
    until_file(&cache.path_of("Arith"), r#"[{"Key":"new:1","Value":""}]"#).await;
    told.0.mark_stale(std::time::Instant::now());
    assert_eq!(next(&mut watch).await, ("new:1".into(), false));
    // The inner discovery has a hold of its own, so that what it says now needs no second one.
    told.0.publish(Vec::new());
    assert_eq!(next(&mut watch).await, (String::new(), true));
    until_file(&cache.path_of("Arith"), "[]").await;
}

#[tokio::test]
async fn every_change_is_written_and_read_by_the_next_process() {
    let folder = tempfile::tempdir().expect("folder");
    let below = folder.path().join("a/b");
    let (first, told) = cache(&below);
    let mut watch = first.watch("x/../y");
    told.0.publish(nodes("a:1,b:1"));
    assert_eq!(next(&mut watch).await, ("a:1,b:1".into(), true));
    told.0.publish(nodes("a:1?weight=2"));
    assert_eq!(next(&mut watch).await, ("a:1?weight=2".into(), true));
    let path = first.path_of("x/../y");
    assert_eq!(path, below.join("x%2F..%2Fy.json"));
    until_file(&path, r#"[{"Key":"a:1","Value":"weight=2"}]"#).await;
    first.close();
    assert_eq!(std::fs::read_dir(&below).expect("folder").count(), 1, "nothing else is left");
    let (second, _told) = cache(&below);
    assert_eq!(texts(second.watch("x/../y").known().await.expect("open").nodes()), "a:1?weight=2");
}

#[tokio::test]
async fn a_file_that_is_no_list_counts_as_none() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("Arith.json"), "not a list").expect("write");
    let (cache, told) = cache(folder.path());
    let mut watch = cache.watch("Arith");
    told.0.publish(nodes("a:1"));
    assert_eq!(next(&mut watch).await, ("a:1".into(), true));
    until_file(&cache.path_of("Arith"), r#"[{"Key":"a:1","Value":""}]"#).await;
}

#[tokio::test]
async fn a_list_of_the_user_s_is_still_one() {
    let folder = tempfile::tempdir().expect("folder");
    let list = Arc::new(Multiple::new(nodes("a:1")));
    let cache = FileCache::new(folder.path(), list, DiscoveryOptions::default()).expect("options");
    let mut watch = cache.watch("Arith");
    assert_eq!(texts(watch.known().await.expect("open").nodes()), "a:1");
    cache.set_nodes(nodes("b:1")).expect("a list");
    assert_eq!(next(&mut watch).await, ("b:1".into(), true));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let target = folder.path().join("Arith.json");
    std::fs::create_dir(&target).expect("a folder in the way");
    assert!(write(&target, &nodes("a:1")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
}

#[test]
fn long_names_stay_apart() {
    let (cache, _told) = cache(Path::new("f"));
    let (a, b) = ("s".repeat(1000), format!("{}t", "s".repeat(999)));
    let (a, b) = (cache.path_of(&a), cache.path_of(&b));
    assert!(a != b && a.file_name().expect("name").len() < 255);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(entries in proptest::collection::vec((".{1,20}", ".{0,30}"), 0..20)) {
        let nodes: Vec<_> = entries.iter().map(|(key, value)| {
            Node::new(key.as_str(), NodeMetadata::new(value)).expect("not empty")
        }).collect();
        prop_assert_eq!(parse(&render(&nodes).expect("render")).expect("parse"), nodes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_json_is_read_or_refused(text in r#"[\[\]{}",: a-zKVey01\\u]{0,60}"#) {
        let _ = parse(text.as_bytes());
    }
}
