//! What fences of the server's tell, on its way out of the lanes: to a channel, to a webhook.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tracing::debug;

use crate::base::UnixMillis;
use crate::channel::{Channel, Fence, Publication};
use crate::clock::Clock;
use crate::engine::{Broker, PublishOptions, Retention};
use crate::geo::json::Shown;
use crate::hooks::Webhooks;
use crate::hub::FenceNotice;
use crate::session::{Context, wire};
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

/// Publishes and sends what fences tell, in the order in which they tell it, until there are no
/// lanes any more.
pub(super) async fn publish(
    broker: Arc<dyn Broker>,
    mut told: mpsc::Receiver<Told>,
    context: watch::Receiver<Arc<Context>>,
    clock: Clock,
    mut webhooks: Webhooks,
) {
    while let Some(Told { fence, channel, notice }) = told.recv().await {
        let now = clock.now();
        let data = result(&fence, &channel, &notice, now.unix);
        if let Some(address) = &fence.webhook {
            webhooks.send(address, data.clone());
        }
        let Some(results) = &fence.publish else { continue };
        let namespace = context.borrow().namespaces.find(results.as_str()).cloned();
        let Some(namespace) = namespace else {
            debug!(fence = &*fence.name, channel = %results, "no namespace for results");
            continue;
        };
        let publication = Publication { data, ..Publication::default() };
        let retention = Retention::of(&namespace.options);
        let options = PublishOptions { retention, ..PublishOptions::default() };
        if let Err(error) = broker.publish(results, publication, options, now).await {
            debug!(%error, fence = &*fence.name, "a result was not published");
        }
    }
}

/// What is told of a fence: the object as subscribers see it, with the fence and its channel.
fn result(fence: &Fence, channel: &Channel, notice: &FenceNotice, told_at: UnixMillis) -> Bytes {
    let FenceNotice { object, happening, reason } = notice;
    let head = serde_json::json!({
        "fence": &*fence.name, "channel": channel.as_str(), "told_ms": told_at.0,
    });
    let mut json = head.to_string().into_bytes();
    let shown = wire::shown(object, (Some(happening.name()), Some(reason.name())), None);
    let mut rest = Vec::with_capacity(192);
    Shown { tags: Some(&object.fix.tags), ..shown }.write(&mut rest);
    // Two objects become one: the brace between them goes.
    json.pop();
    json.push(b',');
    json.extend(rest.iter().skip(1));
    json.into()
}
