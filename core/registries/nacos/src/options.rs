//! Where the servers of Nacos are, and how services are kept there.

use rpcx::config::{DiscoveryOptions, RegistryOptions, Secret, TlsFiles};
use rpcx::discovery::Locator;
use rpcx::{Error, Reason, Result};

/// The main port of Nacos, which speaks HTTP.
const PORT: u16 = 8848;

/// What is added to the main port for gRPC, unless `grpc_port` says otherwise.
const GRPC_OFFSET: u16 = 1000;

/// Where the servers of Nacos are, and how services are kept there. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct NacosOptions {
    pub(crate) hosts: Vec<Host>,
    /// As in the requests: `public` for the one without a name.
    pub(crate) namespace: String,
    pub(crate) group: String,
    /// Empty for any.
    pub(crate) cluster: String,
    pub(crate) user: Option<(String, Secret)>,
    /// Of the HTTP interface; begins with a slash or is empty.
    pub(crate) context_path: String,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

/// One server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name or an address, IPv6 in brackets.
    pub(crate) name: String,
    pub(crate) http: u16,
    pub(crate) grpc: u16,
}

impl NacosOptions {
    /// Reads what stands behind `nacos://` in a URL.
    ///
    /// ```
    /// use librpcx_nacos::NacosOptions;
    ///
    /// NacosOptions::parse("10.0.0.1,10.0.0.2:8848/test?group=rpcx&empty_hold=30s")?;
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read, and no secret.
    pub fn parse(rest: &str) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        let grpc = match locator.take("grpc_port") {
            Some(text) => Some(port(&text)?),
            None => None,
        };
        if locator.hosts().is_empty() {
            return Err(bad("it names no host: nacos://HOST:PORT/NAMESPACE"));
        }
        let hosts = locator.hosts().iter().map(|text| host(text, grpc)).collect::<Result<_>>()?;
        let namespace = namespace(&mut locator)?;
        let group = word(&mut locator, "group")?.unwrap_or_else(|| "DEFAULT_GROUP".to_owned());
        let cluster = word(&mut locator, "cluster")?.unwrap_or_default();
        let user = locator.login()?;
        let context = locator.take("context_path").unwrap_or_else(|| "/nacos".to_owned());
        let context_path = context.trim_matches('/');
        if !context_path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte)) {
            return Err(bad(&format!("option `context_path`: {context:?} is no path")));
        }
        let context_path = if context_path.is_empty() { String::new() } else { format!("/{context_path}") };
        let tls = locator.tls(false)?;
        // Go's servers write none here, and each write is a push to everybody who follows the service.
        let metrics = locator.take("metrics");
        let mut registry = locator.registry_options()?;
        registry.set("metrics", metrics.as_deref().unwrap_or("false"))?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self { hosts, namespace, group, cluster, user, context_path, tls, discovery, registry })
    }
}

fn host(text: &str, grpc: Option<u16>) -> Result<Host> {
    // What follows the brackets of an IPv6 literal.
    let at = text.rfind(']').map_or(0, |at| at + 1);
    let (name, http) = match text[at..].rfind(':') {
        Some(colon) => (&text[..at + colon], port(&text[at + colon + 1..])?),
        None => (text, PORT),
    };
    let grpc = match grpc {
        Some(grpc) => grpc,
        None => http.checked_add(GRPC_OFFSET).ok_or_else(|| {
            bad(&format!("the port of gRPC is {GRPC_OFFSET} above {http}, which is none: set `grpc_port`"))
        })?,
    };
    Ok(Host { name: name.to_owned(), http, grpc })
}

fn port(text: &str) -> Result<u16> {
    match text.parse::<u16>() {
        Ok(number) if number > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => Err(bad(&format!("{text:?} is no port"))),
    }
}

fn namespace(locator: &mut Locator) -> Result<String> {
    let path = locator.path().to_owned();
    let named = locator.take("namespace");
    let text = match (named, path.is_empty()) {
        (Some(_), false) => return Err(bad("the namespace is given twice, by the path and by the option `namespace`")),
        (Some(named), true) => named,
        (None, _) => path,
    };
    if text.contains('/') || text.chars().any(char::is_control) {
        return Err(bad(&format!("{text:?} is no namespace")));
    }
    Ok(if text.is_empty() { "public".to_owned() } else { text })
}

/// A name of Nacos: not empty, and without the `@@` and the commas with which Nacos puts names together.
fn word(locator: &mut Locator, option: &str) -> Result<Option<String>> {
    match locator.take(option) {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if text.contains("@@") || text.chars().any(|c| c == ',' || c.is_control()) => {
            Err(bad(&format!("option `{option}`: {text:?} is no name")))
        }
        Some(text) => Ok(Some(text)),
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad nacos:// URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, http: u16, grpc: u16) -> Host {
        Host { name: name.to_owned(), http, grpc }
    }

    #[test]
    fn every_part_is_read() {
        let options = NacosOptions::parse(
            "nacos:s%40cret@a,b:1,[::1],[::1]:2/test?group=rpcx&cluster=east&update_interval=2s&empty_hold=3s\
             &reconnect_interval=7ms&ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=nacos&context_path=registry/\
             &metrics=true",
        )
        .expect("read");
        let expected = [host("a", 8848, 9848), host("b", 1, 1001), host("[::1]", 8848, 9848), host("[::1]", 2, 1002)];
        assert_eq!(options.hosts, expected);
        assert_eq!((options.namespace.as_str(), options.group.as_str()), ("test", "rpcx"));
        assert_eq!((options.cluster.as_str(), options.context_path.as_str()), ("east", "/registry"));
        let (user, password) = options.user.as_ref().expect("user");
        assert_eq!((user.as_str(), password.expose()), ("nacos", "s@cret"));
        assert_eq!(options.registry.update_interval.as_secs(), 2);
        assert!(options.registry.metrics);
        assert_eq!(options.discovery.empty_hold.as_secs(), 3);
        let both = (options.discovery.reconnect_interval, options.registry.reconnect_interval);
        assert_eq!(both.0.as_millis(), 7, "both sides have it");
        assert_eq!(both.0, both.1);
        assert!(!format!("{options:?}").contains("s@cret"), "{options:?}");
        let tls = options.tls.expect("tls");
        assert_eq!((tls.ca, tls.server_name.as_deref()), (Some("/ca.pem".into()), Some("nacos")));
    }

    #[test]
    fn what_is_left_out_is_as_in_go() {
        let options = NacosOptions::parse("a").expect("read");
        assert_eq!((options.namespace.as_str(), options.group.as_str()), ("public", "DEFAULT_GROUP"));
        assert_eq!((options.cluster.as_str(), options.context_path.as_str()), ("", "/nacos"));
        assert!(!options.registry.metrics, "no Go server writes means there");
        assert!(options.user.is_none() && options.tls.is_none());
        let named = NacosOptions::parse("a:1?namespace=n&user=u&password=p&grpc_port=7").expect("read");
        assert_eq!((named.namespace.as_str(), named.user.expect("user").1.expose()), ("n", "p"));
        assert_eq!(named.hosts, [host("a", 1, 7)]);
        assert!(NacosOptions::parse("a?tls=true").expect("read").tls.is_some());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("/test", "names no host"),
            ("a:port", "\"port\""),
            ("a:0", "\"0\""),
            ("a:+1", "\"+1\""),
            ("a:65000", "grpc_port"),
            ("a?grpc_port=x", "\"x\""),
            ("a/b/c", "\"b/c\""),
            ("a/b?namespace=c", "twice"),
            ("a?group=x@@y", "`group`"),
            ("a?cluster=x,y", "`cluster`"),
            ("a?context_path=a b", "`context_path`"),
            ("a?password=x", "no user"),
            ("a?tls=yes", "`tls`"),
            ("a?cert=x", "`key`"),
            ("a?tls=false&ca=x", "says false"),
            ("a?metrics=perhaps", "`metrics`"),
            ("a?update_interval=1ms", "`update_interval`"),
            ("a?base_path=/rpcx", "`base_path`"),
        ] {
            let error = NacosOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
