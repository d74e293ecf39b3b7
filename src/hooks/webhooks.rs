//! [`Webhooks`]: messages on their way to addresses. One task for each address that has messages
//! sends them one after the other, so that they arrive in order; it ends when it has been idle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::post::{Message, post};
use super::signature::signature;
use super::{Address, WebhookOptions};
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// Where messages are left. Nobody waits: what has no room is dropped and counted.
#[derive(Debug)]
pub(crate) struct Webhooks {
    options: WebhookOptions,
    clock: Clock,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
    addresses: HashMap<Arc<str>, Queue>,
}

/// What waits for one address, whatever fences and objects it is of: at most
/// [`WebhookOptions::queue_max`] messages. What is told while it is full is dropped.
#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<Bytes>,
    /// It was full, and has not been half empty since: the log has said so.
    is_full: bool,
}

impl Queue {
    fn put(&mut self, body: Bytes, address: &str, metrics: &Metrics) {
        if self.sender.try_send(body).is_err() {
            metrics.webhook("dropped");
            if !self.is_full {
                let host = Address::parse(address).map(|address| address.host).unwrap_or_default();
                warn!(host, "webhooks are dropped: too many wait for their address");
            }
            self.is_full = true;
        } else if self.sender.capacity() * 2 >= self.sender.max_capacity() {
            self.is_full = false;
        }
    }
}

impl Webhooks {
    pub(crate) fn new(
        options: WebhookOptions,
        clock: Clock,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { options, clock, metrics, tasks, stop, addresses: HashMap::new() }
    }

    /// Sends JSON to an address, after what was left for it before.
    pub(crate) fn send(&mut self, address: &Arc<str>, body: Bytes) {
        self.addresses.retain(|_, queue| !queue.sender.is_closed());
        let known = self.addresses.len();
        let (options, metrics) = (&self.options, &self.metrics);
        let Some(secret) = options.secret.clone() else {
            return metrics.webhook("unsigned");
        };
        if known >= ADDRESSES && !self.addresses.contains_key(address) {
            return metrics.webhook("dropped");
        }
        let queue = self.addresses.entry(address.clone()).or_insert_with(|| {
            let (sender, inbox) = mpsc::channel(options.queue_max);
            let destination = Destination {
                address: address.clone(),
                secret,
                options: options.clone(),
                clock: self.clock,
                metrics: metrics.clone(),
            };
            let stop = self.stop.clone();
            let task = async move {
                tokio::select! {
                    () = destination.run(inbox) => {}
                    () = stop.cancelled() => {}
                }
            };
            self.tasks.spawn(task.instrument(info_span!("webhook")));
            Queue { sender, is_full: false }
        });
        queue.put(body, address, metrics);
    }
}

/// One address.
struct Destination {
    address: Arc<str>,
    secret: String,
    options: WebhookOptions,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Destination {
    async fn run(self, mut inbox: mpsc::Receiver<Bytes>) {
        while let Ok(Some(body)) = timeout(IDLE, inbox.recv()).await {
            self.deliver(body).await;
        }
        // Whoever sent in this moment is served before the end.
        inbox.close();
        while let Some(body) = inbox.recv().await {
            self.deliver(body).await;
        }
    }

    /// Tries until it is taken or time is up.
    async fn deliver(&self, body: Bytes) {
        let began = self.clock.moment();
        let id = uuid::Builder::from_random_bytes(random()).into_uuid().hyphenated().to_string();
        let mut pause = FIRST_PAUSE;
        loop {
            let seconds = self.clock.now().unix.seconds();
            let signature = signature(&self.secret, seconds, &body);
            let message = Message { body: body.clone(), signature, id: id.clone() };
            let fault = match timeout(self.options.timeout, post(&self.address, message)).await {
                Ok(Ok(rest)) => {
                    self.metrics.webhook("delivered");
                    // It is taken, whatever becomes of the rest.
                    drop(timeout(REST, rest.read()).await);
                    return;
                }
                Ok(Err(fault)) => fault.to_string(),
                Err(_elapsed) => "no answer in time".to_owned(),
            };
            if self.clock.moment().since(began) + pause > self.options.retry_for {
                warn!(fault, "a webhook was given up");
                return self.metrics.webhook("failed");
            }
            debug!(fault, "a webhook is tried again");
            self.metrics.webhook("retried");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn random() -> [u8; 16] {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    random
}

/// Addresses that have messages at a time.
const ADDRESSES: usize = 1024;
/// How long the rest of an answer may take.
const REST: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
