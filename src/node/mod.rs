//! One node: the tasks that own lanes and connections, and the handle through which the server API
//! acts. Async glue without rules of its own: those are in `session`, `hub` and `engine`.

mod api;
mod connection;
mod directory;
mod encoder;
mod fences;
mod geo;
mod lanes;
mod mailbox;
mod recall;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::{SessionId, limits};
use crate::channel::{Mail, ServerCommand};
use crate::clock::Clock;
use crate::engine::{Broker, MemoryEngine, MemoryOptions, MemoryPresence, Presence};
use crate::geo::{Zones, prepare_zones};
use crate::hooks::{WebhookOptions, Webhooks};
use crate::hub::Mailbox as _;
use crate::protocol::{Disconnect, ErrorCode};
use crate::session::Context;
use crate::telemetry::{Gauges, Metrics};

pub(crate) use api::{Reach, ServerPublish};
pub(crate) use connection::{Agreement, serve};
pub(crate) use directory::Audience;

use directory::Directory;
use fences::FenceOutlet;
use geo::ZoneKeeper;
use lanes::{Lanes, Surroundings};

/// What an operator sets about a node as a whole.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    /// A power of two.
    pub(crate) lanes: usize,
    /// Bytes that wait for one client before it is closed as slow.
    pub(crate) queue_bytes_max: usize,
    /// Connections that one user may have.
    pub(crate) user_connection_limit: Option<usize>,
    /// Shown in metrics and to the server API.
    pub(crate) name: String,
    pub(crate) memory: MemoryOptions,
    pub(crate) webhook: WebhookOptions,
    /// Of the node's own, at its start.
    pub(crate) zones: Zones,
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) options: NodeOptions,
    /// Replaced as a whole when the configuration is read again; sessions keep the one they began
    /// with.
    context: watch::Sender<Arc<Context>>,
    lanes: Lanes,
    directory: Directory,
    zones: ZoneKeeper,
    broker: Arc<dyn Broker>,
    presence: Arc<dyn Presence>,
    sessions: AtomicU64,
    /// Different for every run.
    uid: String,
    /// Lanes, directory and upkeep: they outlive the connections.
    tasks: TaskTracker,
    /// Whoever has not connected yet is sent away.
    draining: CancellationToken,
    stop: CancellationToken,
}

impl Node {
    /// Starts the node's tasks on the current runtime.
    pub(crate) fn start(options: NodeOptions, context: Context, clock: Clock) -> Arc<Self> {
        let metrics = Arc::new(Metrics::new(context.version, &options.name));
        metrics.show_codes(
            ErrorCode::ALL.into_iter().map(ErrorCode::number),
            Disconnect::ALL.iter().map(|disconnect| disconnect.code),
        );
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let (fences, told) = FenceOutlet::new(limits::FENCE_QUEUE, metrics.clone());
        let surroundings =
            Surroundings { clock, metrics: metrics.clone(), fences, stop: stop.clone() };
        let lanes = Lanes::start(options.lanes, &tasks, &surroundings);
        if context.namespaces.have_geography() {
            tasks.spawn_blocking(prepare_zones);
        }
        let zones = ZoneKeeper::start(&tasks, lanes.clone(), options.zones.clone());
        let directory = Directory::start(&tasks, options.user_connection_limit);
        let boot = boot();
        let broker = MemoryEngine::new(&options.memory, boot, Arc::new(lanes.clone()));
        let node = Arc::new(Self {
            clock,
            metrics,
            options,
            context: watch::Sender::new(Arc::new(context)),
            lanes,
            directory,
            zones,
            broker: Arc::new(broker),
            presence: Arc::new(MemoryPresence::new()),
            sessions: AtomicU64::new(0),
            uid: format!("{boot:016x}"),
            tasks,
            draining: CancellationToken::new(),
            stop,
        });
        let webhooks = Webhooks::new(
            node.options.webhook.clone(),
            clock,
            node.metrics.clone(),
            node.tasks.clone(),
            node.stop.clone(),
        );
        node.tasks.spawn(fences::publish(
            node.broker.clone(),
            told,
            node.context.subscribe(),
            clock,
            webhooks,
        ));
        node.tasks.spawn(upkeep(node.clock, node.broker.clone(), node.stop.clone()));
        node
    }

    /// What sessions that begin now share.
    pub(crate) fn context(&self) -> Arc<Context> {
        self.context.borrow().clone()
    }

    /// Replaces what sessions that begin from now on share.
    pub(crate) fn set_context(&self, context: Context) {
        self.context.send_replace(Arc::new(context));
    }

    /// Names this run of the node.
    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// The metrics in Prometheus' text format.
    pub(crate) async fn render_metrics(&self) -> String {
        let (sessions, lanes) = (self.directory.counts().await, self.lanes.counts().await);
        self.metrics.render(Gauges {
            clients: sessions.clients,
            users: sessions.users,
            subscriptions: lanes.subscriptions,
            channels: lanes.channels,
            objects: lanes.objects,
        })
    }

    /// Tells every client to come back elsewhere, evenly over `spread`. Nobody connects any more.
    pub(crate) async fn drain(&self, spread: Duration) {
        let mailboxes = self.directory.close().await;
        self.draining.cancel();
        let count = u32::try_from(mailboxes.len()).unwrap_or(u32::MAX).max(1);
        let mut ticks = tokio::time::interval((spread / count).max(Duration::from_millis(1)));
        let each_tick = mailboxes
            .len()
            .div_ceil(usize::try_from(spread.as_millis()).unwrap_or(usize::MAX).max(1));
        for some in mailboxes.chunks(each_tick.max(1)) {
            ticks.tick().await;
            for mailbox in some {
                mailbox.post(Mail::Server(Box::new(ServerCommand::Disconnect {
                    code: Disconnect::SHUTDOWN.code,
                    reason: Disconnect::SHUTDOWN.reason.into_owned(),
                })));
            }
        }
    }

    /// Ends the node's own tasks, after its connections have ended.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

/// Lets the engine drop what expired, once a second.
async fn upkeep(clock: Clock, broker: Arc<dyn Broker>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => broker.expire(clock.now()),
        }
    }
}

/// Differs from that of every earlier run: epochs of streams are made of it.
fn boot() -> u64 {
    getrandom::u64().expect("the operating system has random numbers")
}
