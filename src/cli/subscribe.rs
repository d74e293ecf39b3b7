//! `nearcast sub`: prints what happens in a channel. It comes back after a lost connection, as an
//! SDK does, and recovers what it missed or says that it could not.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::position::Position;
use super::secret::Secret;
use super::trust::TrustArgs;
use super::{Outcome, complain, print};
use crate::base::Encoding;
use crate::client::{CallError, Client, ConnectError, Target};
use crate::protocol::{
    Publication, Push, SubscribeRequest, SubscribeResult, Unsubscribe, UnsubscribeCode,
};

mod event;

pub(super) use event::{Event, Kind};

#[derive(Clone, Debug, Args)]
pub(super) struct SubscribeArgs {
    channel: String,
    #[command(flatten)]
    watch: Watch,
    /// Begin with what followed this position
    #[arg(long, alias = "recover", value_name = "OFFSET:EPOCH")]
    since: Option<Position>,
    /// Subscribe data, such as the area in a geo channel: '{"zone":"countries/DE"}'
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

/// How to listen, and how to tell.
#[derive(Clone, Debug, Args)]
pub(super) struct Watch {
    /// The server's WebSocket, ws:// or wss://
    #[arg(long, env = "NEARCAST_URL", default_value = "ws://127.0.0.1:8000/connection/websocket")]
    url: String,
    #[command(flatten)]
    trust: TrustArgs,
    /// Connection token
    #[arg(long, env = "NEARCAST_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// Subscription token
    #[arg(long, value_name = "TOKEN")]
    sub_token: Option<Secret>,
    /// Speak Protobuf rather than JSON
    #[arg(long)]
    protobuf: bool,
    /// Print one line of JSON for each event
    #[arg(long)]
    pub(super) json: bool,
    /// End after so many publications
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

pub(super) fn run(arguments: &SubscribeArgs) -> Outcome {
    listen(&arguments.watch, arguments.request(), |event| event.text())
}

impl SubscribeArgs {
    fn request(&self) -> SubscribeRequest {
        let mut request = SubscribeRequest {
            channel: self.channel.clone(),
            recoverable: true,
            join_leave: true,
            data: self.data.clone().unwrap_or_default().into(),
            ..SubscribeRequest::default()
        };
        if let Some(Position { offset, epoch }) = self.since.clone() {
            request.recover = true;
            (request.offset, request.epoch) = (offset, epoch);
        }
        request
    }
}

/// Listens to a channel until there is nothing more to be told. `text` writes lines for people.
pub(super) fn listen(
    watch: &Watch,
    request: SubscribeRequest,
    text: impl Fn(&Event<'_>) -> Option<String>,
) -> Outcome {
    let json = watch.json;
    let mut listener = Listener::new(watch, request, |event: Event<'_>| {
        if let Some(line) = if json { Some(event.json()) } else { text(&event) } {
            print(&line);
        }
    });
    let listened = super::on_this_thread(async {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|fault| fault.to_string()),
            ended = listener.listen() => ended,
        }
    });
    match listened {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(why)) => {
            complain(&why);
            Outcome::Failed
        }
        Err(fault) => {
            complain(&fault);
            Outcome::Failed
        }
    }
}

/// Why a connection's listening ended.
enum End {
    /// All that was asked for was printed.
    Counted,
    /// Coming back may help.
    Lost(String),
    /// Coming back would not help.
    Refused(String),
}

struct Listener<P> {
    target: Target,
    /// Its offset and epoch are the position reached so far.
    request: SubscribeRequest,
    /// Publications still to print; `None` for all.
    left: Option<u64>,
    /// The first connection came about: whoever mistyped an address wants to know.
    was_connected: bool,
    /// Connections in a row that brought no subscription.
    failures: u32,
    print: P,
}

impl<P: FnMut(Event<'_>)> Listener<P> {
    fn new(watch: &Watch, mut request: SubscribeRequest, print: P) -> Self {
        let encoding = if watch.protobuf { Encoding::Protobuf } else { Encoding::Json };
        let expose = |secret: &Option<Secret>| {
            secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()
        };
        request.token = expose(&watch.sub_token);
        Self {
            target: Target {
                url: watch.url.clone(),
                trust: watch.trust.trust(),
                token: expose(&watch.token),
                encoding,
            },
            request,
            left: watch.count,
            was_connected: false,
            failures: 0,
            print,
        }
    }

    /// Listens until enough was printed; an error says why nobody need try again.
    async fn listen(&mut self) -> Result<(), String> {
        loop {
            match self.connection().await {
                End::Counted => return Ok(()),
                End::Refused(why) => return Err(why),
                End::Lost(why) => {
                    let pause = backoff(self.failures);
                    self.failures = self.failures.saturating_add(1);
                    complain(&format_args!("{why}; reconnecting in {} ms", pause.as_millis()));
                    sleep(pause).await;
                }
            }
        }
    }

    async fn connection(&mut self) -> End {
        let mut client = match Client::open(&self.target).await {
            Ok(client) => client,
            Err(error) => return self.not_connected(&error),
        };
        self.was_connected = true;
        loop {
            let result = match client.subscribe(self.request.clone()).await {
                Ok(result) => result,
                Err(error) => return not_subscribed(&error),
            };
            self.failures = 0;
            if self.subscribed(result) {
                client.close().await;
                return End::Counted;
            }
            match self.pushes(&mut client).await {
                Ok(unsubscribe) if unsubscribe.code < RESUBSCRIBE_FROM => {
                    return End::Refused(format!(
                        "the server ended the subscription: {} ({})",
                        unsubscribe.reason, unsubscribe.code
                    ));
                }
                Ok(unsubscribe) => self.will_resubscribe(&unsubscribe),
                Err(End::Counted) => {
                    client.close().await;
                    return End::Counted;
                }
                Err(end) => return end,
            }
        }
    }

    /// Prints what the reply brings; true when it was enough.
    fn subscribed(&mut self, result: SubscribeResult) -> bool {
        if result.was_recovering && result.recovered {
            complain(&format_args!("recovered {} publications", result.publications.len()));
        } else if !result.was_recovering {
            complain(&format_args!("subscribed to {}", self.request.channel));
        } else {
            complain(&"not everything that was missed could be recovered");
        }
        self.tell(Kind::Subscribed(&result));
        self.request.recover = result.recoverable;
        (self.request.offset, self.request.epoch) = (result.offset, result.epoch);
        result.publications.iter().any(|publication| self.published(publication))
    }

    /// Prints pushes until the server ends the subscription.
    async fn pushes(&mut self, client: &mut Client) -> Result<Unsubscribe, End> {
        loop {
            let push = match client.next_push().await {
                Ok(push) => push,
                Err(ended) if ended.reconnects() => return Err(End::Lost(ended.to_string())),
                Err(ended) => return Err(End::Refused(ended.to_string())),
            };
            if push.channel != self.request.channel {
                continue;
            }
            let Push { r#pub, join, leave, unsubscribe, .. } = push;
            if r#pub.is_some_and(|publication| self.published(&publication)) {
                return Err(End::Counted);
            }
            if let Some(info) = join.and_then(|join| join.info) {
                self.tell(Kind::Join(&info));
            }
            if let Some(info) = leave.and_then(|leave| leave.info) {
                self.tell(Kind::Leave(&info));
            }
            if let Some(unsubscribe) = unsubscribe {
                self.tell(Kind::Unsubscribed(&unsubscribe));
                return Ok(unsubscribe);
            }
        }
    }

    /// Prints a publication; true when it was the last one asked for.
    fn published(&mut self, publication: &Publication) -> bool {
        self.tell(Kind::Publication(publication));
        if publication.offset > 0 {
            self.request.offset = publication.offset;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        self.left == Some(0)
    }

    fn will_resubscribe(&mut self, unsubscribe: &Unsubscribe) {
        complain(&format_args!(
            "the server ended the subscription: {} ({}); subscribing again",
            unsubscribe.reason, unsubscribe.code
        ));
        if unsubscribe.code == UnsubscribeCode::StateInvalidated.number() {
            self.request.recover = false;
            (self.request.offset, self.request.epoch) = (0, String::new());
        }
    }

    fn not_connected(&self, error: &ConnectError) -> End {
        let may_help = match error {
            ConnectError::Url { .. } => false,
            ConnectError::Unreachable { .. }
            | ConnectError::TooSlow { .. }
            | ConnectError::Handshake { .. } => self.was_connected,
            ConnectError::Refused(error) => error.temporary || error.code < 100,
            ConnectError::Ended(ended) => ended.reconnects(),
        };
        let end = if may_help { End::Lost } else { End::Refused };
        end(error.to_string())
    }

    fn tell(&mut self, kind: Kind<'_>) {
        (self.print)(Event { channel: &self.request.channel, kind });
    }
}

fn not_subscribed(error: &CallError) -> End {
    match error {
        CallError::Refused(error) if error.temporary || error.code < 100 => {
            End::Lost(format!("the server refused the subscription: {error}"))
        }
        CallError::Refused(error) => {
            End::Refused(format!("the server refused the subscription: {error}"))
        }
        CallError::Ended(ended) if ended.reconnects() => End::Lost(ended.to_string()),
        CallError::Ended(ended) => End::Refused(ended.to_string()),
    }
}

/// How long to wait after so many failures: anything up to twice as long each time, so that many
/// clients do not come back at once.
fn backoff(failures: u32) -> Duration {
    let most = BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX);
    let random = getrandom::u32().expect("the operating system has random numbers");
    BACKOFF_MIN.max(most.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// SDKs subscribe again after codes from here on.
const RESUBSCRIBE_FROM: u32 = 2500;

#[cfg(test)]
mod tests;
