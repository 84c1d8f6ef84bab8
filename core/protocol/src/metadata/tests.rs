//! Tests of metadata: as received, as changed, and as limited.

use super::*;

fn received(pairs: &[(&str, &str)]) -> Metadata {
    let mut block = Vec::new();
    for (key, value) in pairs {
        push_pair(&mut block, key, value);
    }
    Metadata::decode(block.into(), &Limits { max_metadata_pairs: 1 << 20, ..Limits::default() }).unwrap()
}

#[test]
fn insert_replaces_in_place_or_anew() {
    let mut metadata = Metadata::from_iter([("a", "1"), ("b", "2"), ("", "")]);
    metadata.insert("a", "3");
    assert_eq!(metadata.iter().next(), Some(("a", "3")));
    metadata.insert("a", "long");
    metadata.insert("", "empty");
    assert_eq!(metadata.iter().collect::<Vec<_>>(), [("b", "2"), ("a", "long"), ("", "empty")]);
    assert!(metadata.remove("b") && !metadata.remove("b"));
    metadata.retain(|key, _| key.is_empty());
    assert_eq!(metadata, Metadata::from_iter([("", "empty")]));
}

#[test]
fn of_a_repeated_key_the_last_value_counts() {
    for filler in [0, 100] {
        let names = (0..filler).map(|i| format!("k{i}")).collect::<Vec<_>>();
        let mut pairs = vec![("a", "1"), ("b", "2")];
        pairs.extend(names.iter().map(|name| (name.as_str(), "x")));
        pairs.extend([("a", "3"), ("a", "4")]);
        let mut metadata = received(&pairs);
        assert_eq!(metadata.get("a"), Some("4"));
        assert_eq!(metadata.len(), 2 + filler);
        assert_eq!(metadata.iter().filter(|(key, _)| *key == "a").collect::<Vec<_>>(), [("a", "4")]);
        assert!(metadata.remove("a"));
        assert_eq!((metadata.get("a"), metadata.len()), (None, 1 + filler));
    }
}

#[test]
fn received_metadata_is_changed_without_touching_the_frame() {
    let original = received(&[("a", "1"), ("b", "2")]);
    let mut changed = original.clone();
    changed.insert("a", "x");
    assert_eq!((original.get("a"), changed.get("a")), (Some("1"), Some("x")));
    assert_ne!(original, changed);
    assert_eq!(original, Metadata::from_iter([("b", "2"), ("a", "1")]));
}

#[test]
fn the_token_is_not_shown() {
    let metadata = Metadata::from_iter([(keys::AUTH, "secret"), ("a", "1")]);
    assert_eq!(format!("{metadata:?}"), r#"{"__AUTH": "***", "a": "1"}"#);
}

#[test]
fn a_block_is_refused_with_what_is_wrong() {
    let limits = Limits { max_metadata_pairs: 2, max_metadata_size: 40, ..Limits::default() };
    let decode = |block: &[u8]| Metadata::decode(Bytes::copy_from_slice(block), &limits).unwrap_err();
    let error = decode(b"\0\0\0\x01k\0\0\0\x09v");
    assert_eq!(error, DecodeError::Metadata { part: "value", offset: 5, size: 10 });
    assert_eq!(decode(b"\0\0\0"), DecodeError::Metadata { part: "key", offset: 0, size: 3 });
    assert_eq!(decode(b"\0\0\0\x01\xff\0\0\0\0"), DecodeError::NotUtf8 { part: "key", offset: 0 });
    assert_eq!(decode(b"\0\0\0\x01k\0\0\0\x01\xff"), DecodeError::NotUtf8 { part: "value", offset: 5 });
    assert!(
        matches!(decode(&[0; 24]), DecodeError::Limit(limit) if limit.limit == Limits::METADATA_PAIRS && limit.size == 3)
    );
    assert!(matches!(decode(&[0; 48]), DecodeError::Limit(limit) if limit.limit == Limits::METADATA_SIZE));
}

#[test]
fn nothing_is_allocated_for_nothing() {
    assert!(Metadata::decode(Bytes::new(), &Limits::default()).unwrap().is_empty());
    assert_eq!(Metadata::new(), Metadata::default());
    assert_eq!(Metadata::empty().len(), 0);
    assert!(matches!(&Metadata::new().block, Block::Own(block) if block.capacity() == 0));
}
