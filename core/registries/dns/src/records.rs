//! From records to nodes.

use crate::failed;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use rpcx::discovery::{Node, NodeMetadata};
use rpcx::{Error, Reason, Result};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;

/// Targets of SRV records that are looked up at the same time.
const AT_ONCE: usize = 16;

/// The outcome of a look-up.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) nodes: Vec<Node>,
    /// The shortest time to live of the records.
    pub(crate) expires: Duration,
}

/// A node for each address of `name`.
pub(crate) async fn addresses(resolver: &TokioResolver, name: &str, port: u16, network: &str) -> Result<Found> {
    let (ips, expires) = ips(resolver, name, network).await?;
    let nodes = ips.into_iter().map(|ip| node(network, ip, port, NodeMetadata::default()));
    Ok(Found { nodes: nodes.collect::<Result<_>>()?, expires })
}

/// A node for each address of each target of the SRV records of `name`.
pub(crate) async fn services(resolver: &TokioResolver, name: &str, network: &str) -> Result<Found> {
    let answers = records(resolver, name, RecordType::SRV).await?;
    let mut found = Found { nodes: Vec::new(), expires: shortest(&answers) };
    let mut rest = first_choice(answers.into_iter().filter_map(|record| match record.data {
        RData::SRV(srv) => Some(srv),
        _ => None,
    }))
    .into_iter();
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < AT_ONCE
            && let Some(srv) = rest.next()
        {
            let (resolver, network) = (resolver.clone(), network.to_owned());
            asked.spawn(async move {
                let ips = ips(&resolver, &srv.target.to_string(), &network).await;
                (srv, ips)
            });
        }
        let Some(answered) = asked.join_next().await else { return Ok(found) };
        let (srv, ips) = answered.map_err(|error| failed(name, &error))?;
        // One target that cannot be looked up makes the whole list doubtful; one without addresses is no server.
        let (ips, expires) = ips?;
        found.expires = found.expires.min(expires);
        for ip in ips {
            let weight = NodeMetadata::new(&format!("weight={}", srv.weight.max(1)));
            found.nodes.push(node(network, ip, srv.port, weight)?);
        }
    }
}

/// The records of the lowest priority. A target `.` says that there is no such service.
fn first_choice(all: impl Iterator<Item = SRV>) -> Vec<SRV> {
    let mut all: Vec<_> = all.filter(|srv| !srv.target.is_root() && srv.port > 0).collect();
    let lowest = all.iter().map(|srv| srv.priority).min();
    all.retain(|srv| Some(srv.priority) == lowest);
    all
}

/// `network@ip:port`, an IPv6 address in brackets.
fn node(network: &str, ip: IpAddr, port: u16, metadata: NodeMetadata) -> Result<Node> {
    Node::new(format!("{network}@{}", SocketAddr::new(ip, port)), metadata)
}

/// The addresses of a name, and how long they are good.
async fn ips(resolver: &TokioResolver, name: &str, network: &str) -> Result<(Vec<IpAddr>, Duration)> {
    let of_kind = |kind, wanted: bool| async move {
        match wanted {
            true => records(resolver, name, kind).await,
            false => Ok(Vec::new()),
        }
    };
    let (v4, v6) = tokio::join!(
        of_kind(RecordType::A, !network.ends_with('6')),
        of_kind(RecordType::AAAA, !network.ends_with('4'))
    );
    let all = match (v4, v6) {
        (Ok(v4), Ok(v6)) => [v4, v6].concat(),
        // Some servers fail for one of the two whatever the name; the addresses of the other are no worse for it.
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => found,
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let ips = all.iter().filter_map(|record| match record.data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
        _ => None,
    });
    Ok((ips.collect(), shortest(&all)))
}

/// The records of one type. None, if the name has none or does not exist.
async fn records(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Vec<Record>> {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => Ok(lookup.answers().to_vec()),
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(Vec::new()),
        Err(NetError::Proto(error)) => {
            Err(Error::new(Reason::ConnectResolve, format!("DNS: {name}: an answer cannot be read: {error}")))
        }
        Err(error) => Err(failed(name, &error)),
    }
}

fn shortest(records: &[Record]) -> Duration {
    let shortest = records.iter().map(|record| record.ttl).min();
    Duration::from_secs(shortest.unwrap_or(u32::MAX).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::Name;

    fn srv(priority: u16, port: u16, target: &str) -> SRV {
        SRV::new(priority, 1, port, Name::from_utf8(target).expect(target))
    }

    #[test]
    fn only_the_lowest_priority_counts() {
        let all = [srv(20, 1, "a."), srv(10, 2, "b."), srv(10, 3, "c."), srv(1, 4, "."), srv(1, 0, "d.")];
        let ports: Vec<_> = first_choice(all.into_iter()).iter().map(|srv| srv.port).collect();
        assert_eq!(ports, [2, 3]);
        assert!(first_choice([srv(0, 1, ".")].into_iter()).is_empty());
    }

    #[test]
    fn an_ipv6_address_is_in_brackets() {
        let of =
            |ip: &str| node("tcp", ip.parse().expect(ip), 8972, NodeMetadata::default()).expect("node").to_string();
        assert_eq!((of("10.0.0.1"), of("2001:db8::1")), ("tcp@10.0.0.1:8972".into(), "tcp@[2001:db8::1]:8972".into()));
    }
}
