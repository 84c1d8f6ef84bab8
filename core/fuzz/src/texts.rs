//! Targets over the texts that users, registries and other processes write: addresses, servers and their metadata,
//! discoveries, times, option values.

use std::sync::LazyLock;

use rpcx::codec::Timestamp;
use rpcx::config::{ClientOptions, OptionRow, ServerOptions};
use rpcx::discovery::{Node, NodeMetadata, Schemes, visible};
use rpcx::transport::Address;

/// The longest text of an error: what was wrong is quoted in part, however long it was.
const LONGEST_ERROR: usize = 2000;

/// Text, read as everything that is written as text. The first byte chooses an option.
///
/// # Panics
/// When what was read does not print as what reads the same.
pub fn texts(data: &[u8]) {
    let Some((&option, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    address(&text);
    node(&text);
    node_metadata(&text);
    discovery(&text);
    time(&text);
    options(usize::from(option), &text);
}

fn address(text: &str) {
    match text.parse::<Address>() {
        Ok(address) => {
            assert_eq!(address.as_str().parse::<Address>().expect("its own text"), address);
            assert_eq!(Address::new(address.scheme(), address.rest()).expect("its own parts"), address);
            assert_eq!([address.scheme(), "@", address.rest()].concat(), address.as_str());
            assert!(address.as_str().len() <= text.len() + 4 && address.rest().contains(address.host()));
        }
        Err(error) => assert!(error.message().len() < LONGEST_ERROR, "{error}"),
    }
}

fn node(text: &str) {
    if let Ok(node) = text.parse::<Node>() {
        assert!(!node.address().is_empty());
        assert_eq!(node.to_string().parse::<Node>().expect("its own text"), node);
    }
}

fn node_metadata(text: &str) {
    let metadata = NodeMetadata::new(text);
    assert_eq!(metadata.as_str(), text);
    let pairs = metadata.pairs().collect::<Vec<_>>();
    assert!(pairs.is_empty() || metadata.is_well_formed());
    assert!(
        pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= 3 * text.len(),
        "U+FFFD at most"
    );
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let encoded = pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect::<Vec<_>>();
    let again = NodeMetadata::new(&encoded.join("&"));
    assert_eq!(again.pairs().collect::<Vec<_>>(), pairs);
    assert_eq!((again.weight(), again.state()), (metadata.weight(), metadata.state()));
    for number in [metadata.latitude(), metadata.longitude()].into_iter().flatten() {
        assert!(number.is_finite());
    }
}

fn discovery(text: &str) {
    let Ok(discovery) = Schemes::default().open(text) else { return };
    let snapshot = discovery.watch("Arith").latest();
    assert!(snapshot.len() <= text.split(',').count());
    assert!(snapshot.nodes().is_sorted_by(|a, b| a.address() < b.address()), "each address once, in order");
    for (at, node) in snapshot.nodes().iter().enumerate() {
        assert_eq!(snapshot.position(node.address()), Some(at));
        for group in node.metadata().groups() {
            assert!(!visible(&snapshot, group).is_empty() || node.metadata().state() == Some("inactive"));
        }
    }
    discovery.close();
}

fn time(text: &str) {
    if let Ok(time) = text.parse::<Timestamp>() {
        // An offset leads out of the years 0 to 9999, which are all that RFC 3339 has.
        if (-62_167_219_200..=253_402_300_799).contains(&time.seconds()) {
            assert_eq!(time.to_string().parse::<Timestamp>().expect("its own text"), time);
        }
    }
}

fn options(chosen: usize, text: &str) {
    fn names(rows: Vec<OptionRow>) -> Vec<&'static str> {
        rows.iter().map(|row| row.name).collect()
    }
    static CLIENT: LazyLock<Vec<&str>> = LazyLock::new(|| names(ClientOptions::rows()));
    static SERVER: LazyLock<Vec<&str>> = LazyLock::new(|| names(ServerOptions::rows()));
    let (for_client, for_server) = (CLIENT[chosen % CLIENT.len()], SERVER[chosen % SERVER.len()]);
    let mut client = ClientOptions::default();
    set(for_client, text, &mut |name, text| {
        client.set(name, text).is_ok().then(|| client.get(name).expect("a known name"))
    });
    let mut server = ServerOptions::default();
    set(for_server, text, &mut |name, text| {
        server.set(name, text).is_ok().then(|| server.get(name).expect("a known name"))
    });
    // Values that go together or not; either way the check says so.
    let _ = (client.validate(), server.validate());
    for text in [text, &format!("{{{for_client:?}:{text}}}")] {
        let _ = serde_json::from_str::<ClientOptions>(text);
        let _ = serde_json::from_str::<ServerOptions>(text);
    }
}

/// Sets one option by its name. What it then says it is sets it to the same.
fn set(name: &str, text: &str, set: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let Some(value) = set(name, text) else { return };
    if value != "***" {
        assert_eq!(set(name, &value).as_ref(), Some(&value), "{name} of {text:?}");
    }
}
