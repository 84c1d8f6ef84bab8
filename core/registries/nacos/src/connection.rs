//! A connection: requests one way, lists that the server pushes the other.
//!
//! Whoever registers or follows something does so for the life of the connection: when it ends, the server forgets it.

mod follower;

pub(crate) use follower::Follower;

use crate::connect::CONNECT_LIMIT;
use crate::failed;
use crate::login::Login;
use crate::message::{Payload, Push, Response, ServiceInfo, code};
use crate::options::{Host, NacosOptions};
use http::uri::PathAndQuery;
use rpcx::config::Secret;
use rpcx::{Error, Reason, Result};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

/// How often the server is asked whether it is alive, and how long it may take to answer. One that stood still for longer
/// ends the sessions of servers that could not be heard meanwhile, and must not empty the list of those who follow.
const PROBE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3));

/// Longest list that is read: some 100,000 instances.
const MAX_MESSAGE: usize = 64 << 20;

/// How long to wait before asking again whether the server has taken notice of the connection.
const SETTLE: Duration = Duration::from_millis(10);

/// What a connection is made with.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) options: Arc<NacosOptions>,
    pub(crate) login: Arc<Login>,
    pub(crate) host: Host,
    pub(crate) client_ip: String,
}

/// Ends when dropped.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    lost: watch::Receiver<Option<Error>>,
    task: JoinHandle<()>,
}

struct Shared {
    setup: Setup,
    channel: Channel,
    /// What is said on the stream.
    answers: mpsc::Sender<Payload>,
    followed: Mutex<HashMap<Arc<str>, Followed>>,
    /// Somebody follows a service no more.
    left: Notify,
    /// Held while the server is told who follows what, so that it is told in order.
    telling: tokio::sync::Mutex<()>,
}

/// A service that somebody follows, or did.
struct Followed {
    /// The list that was pushed last.
    list: watch::Sender<Option<Arc<ServiceInfo>>>,
    leaving: bool,
}

impl Connection {
    /// Sets the connection up: the server knows it when this returns.
    pub(crate) async fn open(channel: Channel, setup: Setup, bell: Option<Arc<Notify>>) -> Result<Self> {
        let (answers, said) = mpsc::channel(16);
        let shared = Arc::new(Shared {
            setup,
            channel,
            answers,
            followed: Mutex::default(),
            left: Notify::new(),
            telling: tokio::sync::Mutex::default(),
        });
        let checked = shared.ask("ServerCheckRequest", &json!({})).await?;
        if !checked.is_success() {
            return Err(checked.error("ServerCheckRequest"));
        }
        let options = &shared.setup.options;
        let introduction = json!({
            "requestId": "",
            "module": "internal",
            "clientVersion": concat!("librpcx:v", env!("CARGO_PKG_VERSION")),
            "tenant": options.namespace,
            "labels": {"source": "sdk", "module": "naming"},
        });
        let (sender, lost) = watch::channel(None);
        let ending = Ending { lost: sender, bell };
        shared.say("ConnectionSetupRequest", &introduction).await?;
        let task = tokio::spawn(run(shared.clone(), said, ending));
        // Ends the task if it does not come to anything.
        let connection = Self { shared, lost, task };
        connection.settle().await?;
        Ok(connection)
    }

    /// Waits until the server has taken notice: there is no answer to the introduction.
    async fn settle(&self) -> Result<()> {
        loop {
            if let Some(error) = self.lost() {
                return Err(error);
            }
            let response = self.shared.ask("HealthCheckRequest", &json!({})).await?;
            if response.is_success() {
                return Ok(());
            }
            if response.error_code != code::UNREGISTERED {
                return Err(response.error("HealthCheckRequest"));
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Sends a request; its answer is no error.
    pub(crate) async fn request(&self, kind: &str, body: &Value) -> Result<Response> {
        self.shared.request(kind, body).await
    }

    /// Why it has ended, if it has.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.lost.borrow().clone()
    }

    /// Waits until it has ended.
    pub(crate) async fn end(&self) -> Error {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(unknown),
            Err(_) => unknown(),
        }
    }

    /// Follows a service, and gives its instances as they are now.
    pub(crate) async fn follow(self: &Arc<Self>, service: &str) -> Result<(Arc<ServiceInfo>, Follower)> {
        let service: Arc<str> = service.into();
        // A farewell that is on its way comes first.
        let _telling = self.shared.telling.lock().await;
        let lists = {
            let mut followed = self.shared.followed();
            let entry = followed.entry(service.clone());
            let entry = entry.or_insert_with(|| Followed { list: watch::Sender::new(None), leaving: false });
            entry.leaving = false;
            entry.list.subscribe()
        };
        let mut follower = Follower::new(self.clone(), service, lists);
        let response = self.shared.subscribe(follower.service(), true).await?;
        let listed = response.service_info.filter(|info| info.hosts.is_some());
        let listed = listed.ok_or_else(|| Error::new(Reason::ClosedRemote, "nacos: an answer without a list"))?;
        // What was pushed meanwhile may be newer, and may be older.
        let pushed = follower.pushed();
        let newest = pushed.filter(|pushed| pushed.last_ref_time >= listed.last_ref_time);
        Ok((newest.unwrap_or_else(|| Arc::new(listed)), follower))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("host", &self.shared.setup.host).finish_non_exhaustive()
    }
}

/// Says that the connection has ended, however that comes.
struct Ending {
    lost: watch::Sender<Option<Error>>,
    bell: Option<Arc<Notify>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.lost.send_if_modified(|lost| {
            let silent = lost.is_none();
            lost.get_or_insert_with(unknown);
            silent
        });
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }
}

fn unknown() -> Error {
    Error::new(Reason::ClosedRemote, "nacos: the connection has ended")
}

/// What goes on beside the requests.
async fn run(shared: Arc<Shared>, said: mpsc::Receiver<Payload>, ending: Ending) {
    let error = tokio::select! {
        error = shared.listen(said) => error,
        error = shared.probe() => error,
        error = shared.unsubscribe() => error,
    };
    ending.lost.send_replace(Some(error));
}

impl Shared {
    fn followed(&self) -> MutexGuard<'_, HashMap<Arc<str>, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn payload(&self, kind: &str, token: Option<&Secret>, body: &Value) -> Payload {
        Payload::new(kind, &self.setup.client_ip, token.map(Secret::expose), body)
    }

    async fn token(&self) -> Result<Option<Secret>> {
        self.setup.login.token(&self.setup.options, &self.setup.host, CONNECT_LIMIT).await
    }

    /// Sends a request; its answer may be an error.
    async fn ask(&self, kind: &str, body: &Value) -> Result<Response> {
        let token = self.token().await?;
        let response = self.send(kind, token.as_ref(), body).await?;
        if response.error_code != code::FORBIDDEN || !self.setup.login.forget(token.as_ref()) {
            return Ok(response);
        }
        // A user who could log in is not refused for good: whoever asks connects again.
        let token = self.token().await.map_err(|error| Error::new(Reason::ClosedRemote, error.message().to_owned()))?;
        self.send(kind, token.as_ref(), body).await
    }

    async fn send(&self, kind: &str, token: Option<&Secret>, body: &Value) -> Result<Response> {
        let mut grpc = self.grpc();
        grpc.ready().await.map_err(|error| failed::transport(&error))?;
        let request = tonic::Request::new(self.payload(kind, token, body));
        let path = PathAndQuery::from_static("/Request/request");
        let answer = grpc.unary(request, path, ProstCodec::<Payload, Payload>::default()).await;
        answer.map_err(|status| failed::status(&status))?.into_inner().read()
    }

    async fn request(&self, kind: &str, body: &Value) -> Result<Response> {
        let response = self.ask(kind, body).await?;
        if response.is_success() { Ok(response) } else { Err(response.error(kind)) }
    }

    /// Says something on the stream.
    async fn say(&self, kind: &str, body: &Value) -> Result<()> {
        let token = self.token().await?;
        let payload = self.payload(kind, token.as_ref(), body);
        self.answers.send(payload).await.map_err(|_| unknown())
    }

    async fn subscribe(&self, service: &str, subscribe: bool) -> Result<Response> {
        let options = &self.setup.options;
        let body = json!({
            "requestId": "",
            "module": "naming",
            "namespace": options.namespace,
            "groupName": options.group,
            "serviceName": service,
            "clusters": options.cluster,
            "subscribe": subscribe,
        });
        self.request("SubscribeServiceRequest", &body).await
    }

    /// Takes what the server says, and answers it.
    async fn listen(&self, said: mpsc::Receiver<Payload>) -> Error {
        let listen = async {
            let mut grpc = self.grpc();
            grpc.ready().await.map_err(|error| failed::transport(&error))?;
            let request = tonic::Request::new(ReceiverStream::new(said));
            let path = PathAndQuery::from_static("/BiRequestStream/requestBiStream");
            // The Java server lets wait for the head of its answer until it has something to say.
            let answer = grpc.streaming(request, path, ProstCodec::<Payload, Payload>::default()).await;
            let mut stream = answer.map_err(|status| failed::status(&status))?.into_inner();
            loop {
                match stream.message().await.map_err(|status| failed::status(&status))? {
                    Some(payload) => self.take(&payload).await?,
                    None => return Err(unknown()),
                }
            }
        };
        let done: Result<std::convert::Infallible> = listen.await;
        match done {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn take(&self, payload: &Payload) -> Result<()> {
        let Some(answer) = answer_to(payload.kind()) else { return Ok(()) };
        let push: Push = payload.read()?;
        let body = json!({"resultCode": 200, "errorCode": 0, "message": "", "requestId": push.request_id});
        self.say(answer, &body).await?;
        match payload.kind() {
            "NotifySubscriberRequest" => {
                if let Some(list) = push.service_info.filter(|list| list.hosts.is_some()) {
                    self.pushed(list);
                }
                Ok(())
            }
            "ConnectResetRequest" => {
                let elsewhere = push.server_ip.unwrap_or_default();
                let text = format!("nacos: the server asks to connect elsewhere ({elsewhere:?})");
                Err(Error::new(Reason::ClosedRemote, text))
            }
            _ => Ok(()),
        }
    }

    fn pushed(&self, list: ServiceInfo) {
        let followed = self.followed();
        let Some(of) = followed.get(list.service()) else { return };
        if list.is_of(&self.setup.options.group, list.service()) {
            of.list.send_replace(Some(Arc::new(list)));
        }
    }

    /// Asks again and again whether the server is alive.
    async fn probe(&self) -> Error {
        let limit = PROBE.1.min(self.setup.options.registry.request_timeout);
        loop {
            tokio::time::sleep(PROBE.0).await;
            match tokio::time::timeout(limit, self.request("HealthCheckRequest", &json!({}))).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error,
                Err(_) => return Error::new(Reason::ConnectTimeout, "nacos: the server stands still"),
            }
        }
    }

    /// Tells the server what nobody follows any more.
    async fn unsubscribe(&self) -> Error {
        loop {
            self.left.notified().await;
            loop {
                let _telling = self.telling.lock().await;
                let leaving = {
                    let mut followed = self.followed();
                    let leaving = followed.iter().find(|(_, of)| of.leaving).map(|(service, _)| service.clone());
                    leaving.inspect(|service| drop(followed.remove(service)))
                };
                let Some(service) = leaving else { break };
                let told = tokio::time::timeout(PROBE.1, self.subscribe(&service, false)).await;
                if let Ok(Err(error)) = told {
                    return error;
                }
            }
        }
    }
}

/// What a request of the server is answered with; nothing for what is not known here.
fn answer_to(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "NotifySubscriberRequest" => "NotifySubscriberResponse",
        "ClientDetectionRequest" => "ClientDetectionResponse",
        "ConnectResetRequest" => "ConnectResetResponse",
        "SetupAckRequest" => "SetupAckResponse",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
