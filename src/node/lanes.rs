//! The tasks that own lanes, and the one way into them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

use super::encoder::SharedEncoder;
use super::fences::FenceOutlet;
use super::mailbox::Mailbox;
use crate::base::{Partition, limits};
use crate::channel::{Channel, Event, ObjectName};
use crate::clock::Clock;
use crate::engine::{EngineError, EventSink, Pending, Place};
use crate::geo::Point;
use crate::hub::{AreaChange, Ignored, Input, Lane, LaneCounts, Output, Subscriber};
use crate::telemetry::Metrics;

/// What a lane's queue holds.
#[derive(Debug)]
enum LaneMessage {
    Input(Input<Mailbox>),
    /// Looks at the lane's state in its turn.
    Look(Box<dyn Look>),
}

/// A look at a lane that can travel to it.
pub(super) trait Look: FnOnce(&Lane<Mailbox>) + Send {}
impl<F: FnOnce(&Lane<Mailbox>) + Send> Look for F {}

impl std::fmt::Debug for dyn Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

/// All lanes of a node. A channel's lane is its partition modulo their number. The queues are
/// bounded: whoever sends to a full one waits.
#[derive(Clone, Debug)]
pub(super) struct Lanes(Arc<[mpsc::Sender<LaneMessage>]>);

impl Lanes {
    /// Starts `count` lanes, a power of two. They end when nothing can send to them any more, or
    /// at `stop`. What fences of the server's tell goes to `fences`.
    pub(super) fn start(count: usize, tasks: &TaskTracker, surroundings: &Surroundings) -> Self {
        assert!(count.is_power_of_two() && count <= limits::LANES_MAX, "lanes divide partitions");
        let (senders, inboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::channel(limits::LANE_QUEUE)).unzip();
        let lanes = Self(senders.into());
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let span = info_span!("lane", number);
            // A lane holds on to the others only while the node runs.
            let task = LaneTask {
                number,
                lane: Lane::new(),
                turn: LaneTurn::default(),
                surroundings: surroundings.clone(),
                lanes: lanes.clone(),
                moved: HashMap::new(),
            };
            tasks.spawn(task.run(inbox).instrument(span));
        }
        lanes
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

    /// Looks at the state of the channel's lane, after what was sent before; `None` when the lanes
    /// have ended.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        channel: &Channel,
        look: impl FnOnce(&Lane<Mailbox>) -> T + Send + 'static,
    ) -> Option<T> {
        look_at(self.lane(channel.partition()), look).await
    }

    /// Looks at the state of every lane, one after the other.
    pub(super) async fn look_at_all<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Lane<Mailbox>) -> T + Send + Clone + 'static,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for lane in self.0.iter() {
            all.extend(look_at(lane, look.clone()).await);
        }
        all
    }

    /// Channels that have subscribers and whose names pass, with the number of subscribers.
    pub(super) async fn channels(
        &self,
        test: impl Fn(&str) -> bool + Send + Clone + 'static,
    ) -> Vec<(Channel, usize)> {
        let find = move |lane: &Lane<Mailbox>| -> Vec<(Channel, usize)> {
            let found = lane.channels().filter(|(channel, _)| test(channel.as_str()));
            found.map(|(channel, count)| (channel.clone(), count)).collect()
        };
        self.look_at_all(find).await.into_iter().flatten().collect()
    }

    pub(super) async fn counts(&self) -> LaneCounts {
        let mut sum = LaneCounts::default();
        for counts in self.look_at_all(Lane::counts).await {
            sum.channels += counts.channels;
            sum.subscriptions += counts.subscriptions;
            sum.objects += counts.objects;
        }
        sum
    }

    fn index(&self, partition: Partition) -> usize {
        partition.index() % self.0.len()
    }

    fn lane(&self, partition: Partition) -> &mpsc::Sender<LaneMessage> {
        &self.0[self.index(partition)]
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

async fn look_at<T: Send + 'static>(
    lane: &mpsc::Sender<LaneMessage>,
    look: impl FnOnce(&Lane<Mailbox>) -> T + Send + 'static,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    // Whoever asked may be gone.
    let look = move |lane: &Lane<Mailbox>| drop(reply.send(look(lane)).err());
    lane.send(LaneMessage::Look(Box::new(look))).await.ok()?;
    answer.await.ok()
}

/// What lanes need of the node.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) fences: FenceOutlet,
    pub(super) stop: CancellationToken,
}

/// One lane's state, its inbox apart.
#[derive(Debug)]
struct LaneTask {
    number: usize,
    lane: Lane<Mailbox>,
    turn: LaneTurn,
    surroundings: Surroundings,
    lanes: Lanes,
    /// Where followers in other lanes are to move: the latest place of each, until its lane has
    /// room. Lanes never wait for one another.
    moved: HashMap<(Subscriber, ObjectName), Option<Point>>,
}

impl LaneTask {
    async fn run(mut self, mut inbox: mpsc::Receiver<LaneMessage>) {
        loop {
            let message = match inbox.try_recv() {
                Ok(message) => Some(message),
                Err(_) => tokio::select! {
                    message = inbox.recv() => message,
                    () = self.wait() => None,
                    () = self.surroundings.stop.cancelled() => return,
                },
            };
            match message {
                Some(LaneMessage::Input(input)) => self.apply(input).await,
                Some(LaneMessage::Look(look)) => look(&self.lane),
                None => {}
            }
            // A lane that is never idle still lets objects expire.
            if let Some(at) = self.lane.next_deadline() {
                let now = self.surroundings.clock.now();
                if at <= now.moment {
                    self.lane.handle_timeout(now);
                }
            }
            self.hand_out();
        }
    }

    /// Until something is due without a message.
    async fn wait(&self) {
        let retry = async {
            if self.moved.is_empty() {
                pending::<()>().await;
            }
            sleep(limits::LANE_RETRY).await;
        };
        let due = async {
            match self.lane.next_deadline() {
                Some(at) => sleep_until(self.surroundings.clock.instant(at)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = retry => {}
        }
    }

    async fn apply(&mut self, input: Input<Mailbox>) {
        let now = self.surroundings.clock.now();
        let fan_out = self.lane.apply(input, now);
        let posted = self.lane.take_posted();
        self.turn.posted += posted;
        let Ignored { old, too_fast, no_room, stays } = self.lane.take_ignored();
        for (why, count) in
            [("old", old), ("too_fast", too_fast), ("no_room", no_room), ("stays", stays)]
        {
            self.surroundings.metrics.ignored(why, count);
        }
        self.surroundings.metrics.delivered(posted);
        let Some(mut fan_out) = fan_out else {
            return self.turn.end_if_over().await;
        };
        self.turn.bytes += fan_out.bytes();
        let mut encoder = SharedEncoder::default();
        loop {
            let before = fan_out.delivered();
            let more = self.lane.deliver(&mut fan_out, limits::FAN_OUT_CHUNK, &mut encoder);
            self.turn.posted += fan_out.delivered() - before;
            self.turn.end_if_over().await;
            if !more {
                break;
            }
        }
        self.surroundings.metrics.delivered(fan_out.delivered());
    }

    /// Passes on what the lane has for others, as far as they have room.
    fn hand_out(&mut self) {
        for output in self.lane.take_outputs() {
            match output {
                Output::Followed { by, object, at } => drop(self.moved.insert((by, object), at)),
                Output::Fence { fence, channel, notice } => {
                    self.surroundings.fences.offer(fence, channel, notice);
                }
            }
        }
        if self.moved.is_empty() {
            return;
        }
        let mut full = vec![false; self.lanes.0.len()];
        let lanes = &self.lanes;
        let own = self.number;
        self.moved.retain(|(by, object), at| {
            let index = lanes.index(by.channel.partition());
            if index == own || full[index] {
                // What is the lane's own and was not applied at once is gone.
                return index != own;
            }
            let change = AreaChange::Followed { object: object.clone(), at: *at };
            let input = LaneMessage::Input(Input::Change { of: by.clone(), change });
            full[index] = lanes.0[index].try_send(input).is_err();
            full[index]
        });
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
    async fn end_if_over(&mut self) {
        if self.posted >= limits::FAN_OUT_YIELD || self.bytes >= limits::WRITE_HIGH_WATER {
            *self = Self::default();
            tokio::task::yield_now().await;
        }
    }
}
