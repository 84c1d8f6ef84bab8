//! Requests and what is answered.

use super::jute::{Malformed, Read, Reader, Writer};
use bytes::Bytes;
use rpcx::{Error, Reason};

/// Numbers of requests.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const CLOSE: i32 = -11;
}

/// Numbers that requests and packets have which are not counted.
pub(crate) mod xid {
    pub(crate) const EVENT: i32 = -1;
    pub(crate) const PING: i32 = -2;
    pub(crate) const AUTH: i32 = -4;
}

/// A refusal: the session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub i32);

impl Code {
    /// There is no such node.
    pub const NO_NODE: Code = Code(-101);
    /// Another identity is needed.
    pub const NO_AUTH: Code = Code(-102);
    /// The node was written meanwhile.
    pub const BAD_VERSION: Code = Code(-103);
    /// Ephemeral nodes have none below them.
    pub const NO_CHILDREN: Code = Code(-108);
    /// The node is there already.
    pub const NODE_EXISTS: Code = Code(-110);
    /// There are nodes below it.
    pub const NOT_EMPTY: Code = Code(-111);
    pub(crate) const ROLLED_BACK: Code = Code(-2);
    pub(crate) const BAD_ARGUMENTS: Code = Code(-8);
    pub(crate) const SESSION_EXPIRED: Code = Code(-112);
    pub(crate) const INVALID_ACL: Code = Code(-114);
    pub(crate) const AUTH_FAILED: Code = Code(-115);
    pub(crate) const QUOTA_EXCEEDED: Code = Code(-125);

    /// As an error about `path`.
    pub fn error(self, path: &str) -> Error {
        let (reason, what) = match self {
            Code::NO_AUTH => (Reason::AuthRefused, "it is not allowed"),
            Code::AUTH_FAILED => (Reason::AuthRefused, "the user and password are not taken"),
            Code::INVALID_ACL => (Reason::AuthRefused, "it is not allowed to anybody whom the server knows"),
            Code::BAD_ARGUMENTS => (Reason::ConfigBadAddress, "ZooKeeper has no such paths"),
            Code::NO_CHILDREN => (Reason::ConfigBadAddress, "nothing can be below a server's node"),
            Code::QUOTA_EXCEEDED => (Reason::ConfigBadValue, "a quota is exhausted"),
            Code::NO_NODE => (Reason::ClosedRemote, "there is no such node"),
            Code::NODE_EXISTS => (Reason::ClosedRemote, "the node is there already"),
            Code::BAD_VERSION => (Reason::ClosedRemote, "the node was written meanwhile"),
            Code::NOT_EMPTY => (Reason::ClosedRemote, "there are nodes below it"),
            Code::SESSION_EXPIRED => (Reason::ClosedRemote, "the session has expired"),
            _ => (Reason::ClosedRemote, "it failed"),
        };
        Error::new(reason, format!("zookeeper: {path}: {what} (code {})", self.0))
    }
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The transaction that created it.
    pub created: i64,
    /// The transaction that wrote it last.
    pub modified: i64,
    /// How often its data were written.
    pub version: i32,
    /// The session it lives by, or 0.
    pub owner: i64,
    /// The size of its data.
    pub size: i32,
    /// How many nodes are below it.
    pub children: i32,
}

impl Stat {
    pub(crate) fn read(reader: &mut Reader) -> Read<Stat> {
        let (created, modified) = (reader.long()?, reader.long()?);
        // The times of the same.
        let _ = (reader.long()?, reader.long()?);
        let version = reader.int()?;
        // Versions of the list of children and of the access list.
        let _ = (reader.int()?, reader.int()?);
        let (owner, size, children) = (reader.long()?, reader.int()?, reader.int()?);
        // The transaction that changed the list of children last.
        let _ = reader.long()?;
        Ok(Stat { created, modified, version, owner, size, children })
    }
}

/// What happened to a node that was watched, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which.
    pub path: String,
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is there.
    Created,
    /// It is gone.
    Deleted,
    /// It has other data.
    Written,
    /// Nodes below it have come or gone.
    Children,
    /// Nothing that is watched here.
    Other,
}

impl Event {
    pub(crate) fn read(reader: &mut Reader) -> Read<Event> {
        let kind = match reader.int()? {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::Written,
            4 => EventKind::Children,
            _ => EventKind::Other,
        };
        let _state = reader.int()?;
        Ok(Event { kind, path: reader.text()? })
    }
}

/// Who may do what with nodes that are created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acl {
    /// Anybody everything, as Go's rpcx has it.
    #[default]
    Open,
    /// Anybody may read, the creator everything.
    Read,
    /// The creator everything.
    Own,
}

const READ: i32 = 1;
const ALL: i32 = 31;

impl Acl {
    pub(crate) fn write(self, writer: &mut Writer) {
        let entries: &[(i32, &str, &str)] = match self {
            Acl::Open => &[(ALL, "world", "anyone")],
            Acl::Read => &[(ALL, "auth", ""), (READ, "world", "anyone")],
            Acl::Own => &[(ALL, "auth", "")],
        };
        writer.int(i32::try_from(entries.len()).unwrap_or_default());
        for (allowed, scheme, id) in entries {
            writer.int(*allowed);
            writer.bytes(scheme.as_bytes());
            writer.bytes(id.as_bytes());
        }
    }
}

/// A part of a transaction.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A node that is not there.
    Create {
        /// Its path.
        path: &'a str,
        /// Its data.
        data: &'a [u8],
        /// Whether it lives by the session.
        ephemeral: bool,
        /// Who may do what with it.
        acl: Acl,
    },
    /// Removes a node of this version; any with -1.
    Delete(&'a str, i32),
    /// Writes the data of a node of this version; of any with -1.
    Set(&'a str, &'a [u8], i32),
    /// A node has this version.
    Check(&'a str, i32),
}

impl Change<'_> {
    pub(crate) fn number(&self) -> i32 {
        match self {
            Change::Create { .. } => op::CREATE,
            Change::Delete(..) => op::DELETE,
            Change::Set(..) => op::SET_DATA,
            Change::Check(..) => op::CHECK,
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Change::Create { path, data, ephemeral, acl } => {
                writer.bytes(path.as_bytes());
                writer.bytes(data);
                acl.write(writer);
                writer.int(i32::from(*ephemeral));
            }
            Change::Delete(path, version) | Change::Check(path, version) => {
                writer.bytes(path.as_bytes());
                writer.int(*version);
            }
            Change::Set(path, data, version) => {
                writer.bytes(path.as_bytes());
                writer.bytes(data);
                writer.int(*version);
            }
        }
    }
}

/// The outcome of a transaction: which part was refused, and how.
pub(crate) fn transaction(reader: &mut Reader) -> Read<Result<(), (usize, Code)>> {
    let (mut index, mut rolled_back) = (0, false);
    loop {
        let (number, done, _code) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            return Ok(if rolled_back { Err((0, Code::ROLLED_BACK)) } else { Ok(()) });
        }
        match number {
            op::CREATE => drop(reader.bytes()?),
            op::SET_DATA => drop(Stat::read(reader)?),
            op::DELETE | op::CHECK => {}
            // Of those that are fine when another one is not, the code is 0; of those behind it, that they were not tried.
            -1 => match Code(reader.int()?) {
                Code(0) | Code::ROLLED_BACK => rolled_back = true,
                refused => return Ok(Err((index, refused))),
            },
            _ => return Err(Malformed("an answer to what was not asked")),
        }
        index += 1;
    }
}

/// Opens a session, or takes one up.
pub(crate) fn connect(zxid: i64, timeout: i32, session: i64, password: &[u8]) -> Bytes {
    let mut writer = Writer::new();
    writer.int(0); // the protocol's version
    writer.long(zxid);
    writer.int(timeout);
    writer.long(session);
    writer.bytes(password);
    writer.bool(false); // not from a server that cannot write
    writer.finish()
}

/// The answer to [`connect`].
pub(crate) struct Connected {
    /// Milliseconds; 0 if there is no such session any more.
    pub(crate) timeout: i32,
    pub(crate) session: i64,
    pub(crate) password: Bytes,
}

impl Connected {
    pub(crate) fn read(packet: Bytes) -> Read<Connected> {
        let mut reader = Reader::new(packet);
        let _version = reader.int()?;
        Ok(Connected { timeout: reader.int()?, session: reader.long()?, password: reader.bytes()? })
    }
}

/// What every packet begins with that a server sends.
pub(crate) struct Header {
    pub(crate) xid: i32,
    pub(crate) zxid: i64,
    pub(crate) code: i32,
}

impl Header {
    pub(crate) fn read(reader: &mut Reader) -> Read<Header> {
        Ok(Header { xid: reader.int()?, zxid: reader.long()?, code: reader.int()? })
    }
}

/// A request with its number.
pub(crate) fn request(xid: i32, op: i32, body: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new();
    writer.int(xid);
    writer.int(op);
    body(&mut writer);
    writer.finish()
}

/// Says who asks.
pub(crate) fn auth(user: &str, password: &str) -> Bytes {
    request(xid::AUTH, op::AUTH, |writer| {
        writer.int(0);
        writer.bytes(b"digest");
        writer.bytes(format!("{user}:{password}").as_bytes());
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers(parts: &[(i32, i32)]) -> Reader {
        let mut writer = Writer::new();
        for (number, code) in parts {
            writer.int(*number);
            writer.bool(false);
            writer.int(*code);
            match *number {
                op::CREATE => writer.bytes(b"/a"),
                -1 => writer.int(*code),
                _ => {}
            }
        }
        writer.int(-1);
        writer.bool(true);
        writer.int(-1);
        Reader::new(writer.finish().slice(4..))
    }

    #[test]
    fn a_transaction_tells_which_part_was_refused() {
        assert_eq!(transaction(&mut answers(&[(op::DELETE, 0), (op::CREATE, 0)])), Ok(Ok(())));
        let refused = transaction(&mut answers(&[(-1, 0), (-1, -110), (-1, -2)]));
        assert_eq!(refused, Ok(Err((1, Code::NODE_EXISTS))));
        assert_eq!(transaction(&mut answers(&[(-1, 0), (-1, -2)])), Ok(Err((0, Code::ROLLED_BACK))));
        assert!(transaction(&mut answers(&[(77, 0)])).is_err());
        assert!(transaction(&mut Reader::new(Bytes::new())).is_err());
    }

    #[test]
    fn refusals_of_one_node_are_told_from_a_lost_session() {
        use rpcx::ErrorKind;
        for (code, kind) in [
            (Code::NO_AUTH, ErrorKind::Auth),
            (Code::BAD_ARGUMENTS, ErrorKind::Config),
            (Code::QUOTA_EXCEEDED, ErrorKind::Config),
            (Code(-1), ErrorKind::Closed),
        ] {
            assert_eq!(code.error("/a").kind(), kind);
        }
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let bytes = Bytes::from(bytes);
            let reader = || Reader::new(bytes.clone());
            let _ = (transaction(&mut reader()), Stat::read(&mut reader()), Event::read(&mut reader()));
            let _ = (Header::read(&mut reader()), Connected::read(bytes.clone()).is_ok());
        }
    }
}
