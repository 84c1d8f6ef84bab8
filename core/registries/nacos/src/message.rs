//! What goes over the wire: one message of Protocol Buffers around bodies of JSON. `nacos_grpc_service.proto` has four lines of
//! it, which are written here as they are, so that nothing is generated.

use bytes::Bytes;
use prost::Message;
use rpcx::{Error, Reason, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// Every request and every answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    #[prost(message, optional, tag = "2")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    body: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    /// The name of a class of the Java server.
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(map = "string, string", tag = "7")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "8")]
    client_ip: String,
}

/// `google.protobuf.Any`, of which only the value is used.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl Payload {
    pub(crate) fn new(kind: &str, client_ip: &str, token: Option<&str>, body: &Value) -> Self {
        let headers = token.map(|token| ("accessToken".to_owned(), token.to_owned())).into_iter().collect();
        Self {
            metadata: Some(Metadata { kind: kind.to_owned(), headers, client_ip: client_ip.to_owned() }),
            body: Some(Any { type_url: String::new(), value: body.to_string().into() }),
        }
    }

    /// The name of what is in it.
    pub(crate) fn kind(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.kind)
    }

    /// What is in it.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        let body = self.body.as_ref().map_or(&[][..], |body| &body.value);
        serde_json::from_slice(body).map_err(|error| {
            Error::new(Reason::ClosedRemote, format!("nacos: a message {:?} that is none: {error}", self.kind()))
        })
    }
}

/// Every answer to a request; an error has no more than the first three.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Response {
    result_code: i64,
    pub(crate) error_code: i64,
    message: Option<String>,
    pub(crate) service_info: Option<ServiceInfo>,
}

/// Numbers of [`Response::error_code`].
pub(crate) mod code {
    /// Of a request that is as it must not be.
    pub(crate) const INVALID: i64 = 400;
    /// Of a request on a connection that was not set up, or is set up no more.
    pub(crate) const UNREGISTERED: i64 = 301;
    /// Of a request that needs a login, or another one.
    pub(crate) const FORBIDDEN: i64 = 403;
}

impl Response {
    pub(crate) fn is_success(&self) -> bool {
        self.result_code == 200
    }

    /// The error that it says.
    pub(crate) fn error(&self, kind: &str) -> Error {
        let reason = match self.error_code {
            code::FORBIDDEN => Reason::AuthRefused,
            code::INVALID => Reason::ConfigBadValue,
            _ => Reason::ClosedRemote,
        };
        let text = self.message.as_deref().unwrap_or("no reason given");
        Error::new(reason, format!("nacos: {kind}: {text} ({})", self.error_code))
    }
}

/// What the server asks of us: a list, a sign of life, to go elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Push {
    /// To be said in the answer.
    pub(crate) request_id: Value,
    pub(crate) service_info: Option<ServiceInfo>,
    /// Where to go instead.
    pub(crate) server_ip: Option<String>,
}

/// The instances of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceInfo {
    name: Option<String>,
    group_name: Option<String>,
    pub(crate) hosts: Option<Vec<Host>>,
    /// When the server made the list, in milliseconds since 1970 by its clock.
    pub(crate) last_ref_time: i64,
}

impl ServiceInfo {
    /// Whether these are the instances of this service; the name comes alone or as `group@@name`.
    pub(crate) fn is_of(&self, group: &str, service: &str) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        let (of, name) = name.split_once("@@").map_or((None, name), |(of, name)| (Some(of), name));
        let of = of.or(self.group_name.as_deref()).unwrap_or(group);
        of == group && name == service
    }

    /// The service whose instances these are.
    pub(crate) fn service(&self) -> &str {
        let name = self.name.as_deref().unwrap_or_default();
        name.split_once("@@").map_or(name, |(_, name)| name)
    }
}

/// One instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Host {
    #[serde(default)]
    pub(crate) ip: Option<String>,
    #[serde(default)]
    pub(crate) port: i64,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    #[serde(default = "yes")]
    pub(crate) healthy: bool,
    #[serde(default)]
    pub(crate) cluster_name: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Option<HashMap<String, Value>>,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_has_the_numbers_of_the_proto_file() {
        let payload = Payload::new("HealthCheckRequest", "10.0.0.1", Some("t"), &json!({}));
        let expected = b"\x12\x30\x1a\x12HealthCheckRequest\x3a\x10\x0a\x0baccessToken\x12\x01t\x42\x0810.0.0.1\
                         \x1a\x04\x12\x02{}";
        let bytes = payload.encode_to_vec();
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!(bytes, expected, "{shown:?}");
        assert_eq!(Payload::decode(&*bytes).expect("read"), payload);
    }

    #[test]
    fn answers_of_both_servers_are_read() {
        // Java leaves out what is null, and has fields that nobody needs.
        let java = json!({"resultCode": 200, "errorCode": 0, "requestId": "1", "success": true, "serviceInfo": {
            "name": "Arith", "groupName": "g", "clusters": "", "cacheMillis": 10000, "lastRefTime": 1_700_000_000_000_i64,
            "checksum": "", "allIPs": false, "reachProtectionThreshold": false, "valid": true, "hosts": [{
                "instanceId": "1.2.3.4#1#DEFAULT#g@@Arith", "ip": "1.2.3.4", "port": 1, "weight": 1.0, "healthy": true,
                "enabled": true, "ephemeral": true, "clusterName": "DEFAULT", "serviceName": "g@@Arith",
                "metadata": {"network": "tcp"}, "instanceHeartBeatInterval": 5000, "ipDeleteTimeout": 30000}]}});
        let payload = Payload::new("SubscribeServiceResponse", "", None, &java);
        let response: Response = payload.read().expect("read");
        assert!(response.is_success());
        let info = response.service_info.expect("a list");
        assert!(info.is_of("g", "Arith") && !info.is_of("h", "Arith") && !info.is_of("g", "Arith2"));
        assert_eq!(info.hosts.expect("instances")[0].port, 1);
        let grouped: ServiceInfo = serde_json::from_value(json!({"name": "g@@Arith"})).expect("read");
        assert!(grouped.is_of("g", "Arith") && !grouped.is_of("h", "Arith"));
        assert_eq!(grouped.service(), "Arith");
    }

    #[test]
    fn errors_are_told_apart() {
        for (code, reason) in [
            (403, Reason::AuthRefused),
            (400, Reason::ConfigBadValue),
            (500, Reason::ClosedRemote),
            (301, Reason::ClosedRemote),
        ] {
            let body = json!({"resultCode": 500, "errorCode": code, "message": "no"});
            let response: Response = Payload::new("ErrorResponse", "", None, &body).read().expect("read");
            assert!(!response.is_success());
            assert_eq!(response.error("InstanceRequest").reason(), reason, "{code}");
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let empty = Payload::default();
        assert_eq!(empty.read::<Response>().expect_err("nothing").reason(), Reason::ClosedRemote);
        for body in
            [json!("x"), json!(7), json!({"serviceInfo": {"hosts": {}}}), json!({"serviceInfo": {"hosts": [1]}})]
        {
            assert!(Payload::new("x", "", None, &body).read::<Response>().is_err(), "{body}");
        }
        let deep = "[".repeat(100_000);
        let payload = Payload { metadata: None, body: Some(Any { type_url: String::new(), value: deep.into() }) };
        assert!(payload.read::<Push>().is_err());
    }
}
