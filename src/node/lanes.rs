//! The tasks that own lanes, and the one way into them.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

use super::encoder::SharedEncoder;
use super::mailbox::Mailbox;
use crate::base::{Partition, limits};
use crate::channel::{Channel, Event};
use crate::engine::{EngineError, EventSink, Pending, Place};
use crate::hub::{Input, Lane, LaneCounts};
use crate::telemetry::Metrics;

/// What a lane's queue holds.
#[derive(Debug)]
enum LaneMessage {
    Input(Input<Mailbox>),
    /// Asks for its channels whose names pass, with their subscribers.
    Channels(Box<dyn NameTest>, oneshot::Sender<Vec<(Channel, usize)>>),
    Counts(oneshot::Sender<LaneCounts>),
}

/// A predicate on channel names that can travel to a lane.
pub(super) trait NameTest: Fn(&str) -> bool + Send {}
impl<F: Fn(&str) -> bool + Send> NameTest for F {}

impl std::fmt::Debug for dyn NameTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameTest")
    }
}

/// All lanes of a node. A channel's lane is its partition modulo their number. The queues are
/// bounded: whoever sends to a full one waits.
#[derive(Clone, Debug)]
pub(super) struct Lanes(Arc<[mpsc::Sender<LaneMessage>]>);

impl Lanes {
    /// Starts `count` lanes, a power of two. They end when nothing can send to them any more.
    pub(super) fn start(count: usize, tasks: &TaskTracker, metrics: &Arc<Metrics>) -> Self {
        assert!(count.is_power_of_two() && count <= limits::LANES_MAX, "lanes divide partitions");
        let lane = |number: usize| {
            let (sender, inbox) = mpsc::channel(limits::LANE_QUEUE);
            let span = info_span!("lane", number);
            tasks.spawn(run(inbox, metrics.clone()).instrument(span));
            sender
        };
        Self((0..count).map(lane).collect())
    }

    /// Gives a lane its input, after what was sent before; `false` when the lanes have ended.
    pub(super) async fn send(&self, channel: &Channel, input: Input<Mailbox>) -> bool {
        self.lane(channel.partition()).send(LaneMessage::Input(input)).await.is_ok()
    }

    /// Gives every lane the same input.
    pub(super) async fn send_all(&self, input: &Input<Mailbox>) {
        for lane in self.0.iter() {
            // A lane that has ended has nothing to forget.
            drop(lane.send(LaneMessage::Input(input.clone())).await);
        }
    }

    /// Channels that have subscribers and whose names pass, with the number of subscribers.
    pub(super) async fn channels(
        &self,
        test: impl NameTest + Clone + 'static,
    ) -> Vec<(Channel, usize)> {
        let mut all = Vec::new();
        for lane in self.0.iter() {
            let (reply, answer) = oneshot::channel();
            let asked = lane.send(LaneMessage::Channels(Box::new(test.clone()), reply)).await;
            if asked.is_ok() {
                all.extend(answer.await.unwrap_or_default());
            }
        }
        all
    }

    pub(super) async fn counts(&self) -> LaneCounts {
        let mut sum = LaneCounts::default();
        for lane in self.0.iter() {
            let (reply, answer) = oneshot::channel();
            if lane.send(LaneMessage::Counts(reply)).await.is_ok() {
                let counts = answer.await.unwrap_or_default();
                sum.channels += counts.channels;
                sum.subscriptions += counts.subscriptions;
            }
        }
        sum
    }

    fn lane(&self, partition: Partition) -> &mpsc::Sender<LaneMessage> {
        &self.0[partition.index() % self.0.len()]
    }
}

impl EventSink for Lanes {
    fn reserve(&self, partition: Partition) -> Pending<'_, Result<Box<dyn Place>, EngineError>> {
        Box::pin(async move {
            let permit = self.lane(partition).clone().reserve_owned().await;
            let permit = permit.map_err(|_closed| EngineError::Unavailable("shutting down"))?;
            Ok(Box::new(LanePlace(permit)) as Box<dyn Place>)
        })
    }
}

#[derive(Debug)]
struct LanePlace(mpsc::OwnedPermit<LaneMessage>);

impl Place for LanePlace {
    fn emit(self: Box<Self>, event: Event) {
        self.0.send(LaneMessage::Input(Input::Event(event)));
    }
}

async fn run(mut inbox: mpsc::Receiver<LaneMessage>, metrics: Arc<Metrics>) {
    let mut lane = Lane::new();
    let mut turn = LaneTurn::default();
    while let Some(message) = inbox.recv().await {
        match message {
            LaneMessage::Input(input) => {
                apply(&mut lane, input, &mut turn, &metrics).await;
            }
            LaneMessage::Channels(test, reply) => {
                let found = lane.channels().filter(|(channel, _)| test(channel.as_str()));
                let found = found.map(|(channel, count)| (channel.clone(), count)).collect();
                drop(reply.send(found));
            }
            LaneMessage::Counts(reply) => drop(reply.send(lane.counts())),
        }
    }
}

/// What a lane did since it last let the connections run. It goes on from event to event, so that
/// under load several events lie in a mailbox when its connection gets the processor, and go out in
/// one write; but no mailbox overflows because its connection had no chance.
#[derive(Debug, Default)]
struct LaneTurn {
    /// Mailboxes filled.
    posted: usize,
    /// Most bytes that lie in any one of them.
    bytes: usize,
}

impl LaneTurn {
    fn is_over(&self) -> bool {
        self.posted >= limits::FAN_OUT_YIELD || self.bytes >= limits::WRITE_HIGH_WATER
    }
}

async fn apply(
    lane: &mut Lane<Mailbox>,
    input: Input<Mailbox>,
    turn: &mut LaneTurn,
    metrics: &Metrics,
) {
    let Some(mut fan_out) = lane.apply(input) else { return };
    turn.bytes += fan_out.bytes();
    let mut encoder = SharedEncoder::default();
    loop {
        let before = fan_out.delivered();
        let more = lane.deliver(&mut fan_out, limits::FAN_OUT_CHUNK, &mut encoder);
        turn.posted += fan_out.delivered() - before;
        if turn.is_over() {
            *turn = LaneTurn::default();
            tokio::task::yield_now().await;
        }
        if !more {
            break;
        }
    }
    metrics.delivered(fan_out.delivered());
}
