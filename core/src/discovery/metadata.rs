//! What a node says about itself: a url-encoded query such as `weight=7&group=a&group=b`, as registries store it.

use std::fmt;
use std::sync::Arc;

/// The metadata of a node, read once when the node is made. Cloning counts a reference.
///
/// Text that is not a well-formed query (a `;`, a broken `%` escape) is kept as written and has no values: such a node
/// passes every filter and has weight 1, as with Go's rpcx. Two values are equal when their texts are.
///
/// ```
/// use rpcx::discovery::NodeMetadata;
///
/// let metadata = NodeMetadata::new("weight=7&group=a&group=b+c");
/// assert_eq!(metadata.weight(), 7);
/// assert_eq!(metadata.get("group"), Some("a"));
/// assert_eq!(metadata.get_all("group").collect::<Vec<_>>(), ["a", "b c"]);
/// ```
#[derive(Clone, Default)]
pub struct NodeMetadata(Option<Arc<Query>>);

struct Query {
    text: Box<str>,
    /// Decoded, in the order of the text; `None` if the text is no query.
    pairs: Option<Box<[Pair]>>,
}

type Pair = (Box<str>, Box<str>);

impl NodeMetadata {
    /// Metadata from its text. Empty text is empty metadata.
    pub fn new(text: &str) -> Self {
        if text.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(Query { text: text.into(), pairs: parse(text) })))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |query| &query.text)
    }

    /// Whether the text is a well-formed query; empty text is.
    pub fn is_well_formed(&self) -> bool {
        self.0.as_ref().is_none_or(|query| query.pairs.is_some())
    }

    /// Every pair in the order of the text, decoded. Keys may repeat.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.as_ref().and_then(|query| query.pairs.as_deref()).unwrap_or_default();
        pairs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// Every value of a key.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.pairs().filter_map(move |(name, value)| (name == key).then_some(value))
    }

    /// The share of calls the node asks for: 1 if `weight` is missing or no integer; 0, which is never selected by the
    /// modes that look at weights, if it is negative.
    pub fn weight(&self) -> u32 {
        match self.get("weight").map(str::parse::<i64>) {
            Some(Ok(weight)) => u32::try_from(weight.max(0)).unwrap_or(u32::MAX),
            _ => 1,
        }
    }

    /// The first `state`. Only `inactive` has a meaning: see [`is_active`](super::is_active).
    pub fn state(&self) -> Option<&str> {
        self.get("state")
    }

    /// The groups that the node belongs to.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.get_all("group")
    }

    /// Degrees north, if `latitude` is a finite number.
    pub fn latitude(&self) -> Option<f64> {
        self.number("latitude")
    }

    /// Degrees east, if `longitude` is a finite number.
    pub fn longitude(&self) -> Option<f64> {
        self.number("longitude")
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl PartialEq for NodeMetadata {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.text == b.text,
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl Eq for NodeMetadata {}

impl fmt::Debug for NodeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for NodeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The pairs of a query by the rules of Go's `url.ParseQuery`, but all or nothing.
fn parse(text: &str) -> Option<Box<[Pair]>> {
    let mut pairs = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return None;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((unescape(key)?, unescape(value)?));
    }
    Some(pairs.into())
}

/// `+` is a space, `%41` an `A`. Bytes that are not UTF-8 become U+FFFD; a broken escape is `None`.
fn unescape(text: &str) -> Option<Box<str>> {
    if !text.contains(['%', '+']) {
        return Some(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&out).into())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weight_follows_the_rules() {
        let cases = [
            ("", 1),
            ("weight=7", 7),
            ("weight=%37", 7),
            ("weight=+7", 1), // a space and a seven
            ("weight=%2B7", 7),
            ("weight=0", 0),
            ("weight=-3", 0),
            ("weight=1.5", 1),
            ("weight=seven", 1),
            ("weight=", 1),
            ("weight", 1),
            ("weight=99999999999", u32::MAX),
            ("weight=99999999999999999999", 1),
            ("weight=3&weight=5", 3),
            ("weight=7;group=a", 1),
            ("weight=7&x=%zz", 1),
        ];
        for (text, weight) in cases {
            assert_eq!(NodeMetadata::new(text).weight(), weight, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_query_has_no_values() {
        for text in ["a=1;b=2", "x=%zz&y=1", "x=%4", "x=%", "%"] {
            let metadata = NodeMetadata::new(text);
            assert!(!metadata.is_well_formed(), "{text}");
            assert_eq!(metadata.pairs().count(), 0, "{text}");
            assert_eq!(metadata.as_str(), text);
        }
    }

    #[test]
    fn pairs_are_decoded_in_order() {
        let metadata = NodeMetadata::new("&group=b&&group=a&k=a+b%26c&empty=&bare&%ff=1&eq=a=b");
        let pairs: Vec<_> = metadata.pairs().collect();
        let expected = [
            ("group", "b"),
            ("group", "a"),
            ("k", "a b&c"),
            ("empty", ""),
            ("bare", ""),
            ("\u{fffd}", "1"),
            ("eq", "a=b"),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(metadata.groups().collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn coordinates_are_finite_numbers() {
        let metadata = NodeMetadata::new("latitude=31.25&longitude=-121.5");
        assert_eq!((metadata.latitude(), metadata.longitude()), (Some(31.25), Some(-121.5)));
        for text in ["latitude=NaN", "latitude=inf", "latitude=north", "longitude=1", "latitude="] {
            assert_eq!(NodeMetadata::new(text).latitude(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in ".{0,60}") {
            let metadata = NodeMetadata::new(&text);
            prop_assert_eq!(metadata.as_str(), &text);
            prop_assert_eq!(&metadata, &NodeMetadata::new(&text));
            let _ = (metadata.weight(), metadata.latitude());
        }

        #[test]
        fn what_is_escaped_comes_back(values in proptest::collection::vec(".{0,12}", 1..6)) {
            let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
            let text = values.iter().map(|value| format!("v={}", escaped(value))).collect::<Vec<_>>().join("&");
            let metadata = NodeMetadata::new(&text);
            prop_assert_eq!(metadata.get_all("v").collect::<Vec<_>>(), values);
        }
    }
}
