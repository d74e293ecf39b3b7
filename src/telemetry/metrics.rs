//! Prometheus metrics: the prefix `nearcast_`, then the names that a Centrifugo operator knows.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// All metrics of a node. Each node has its own registry, so that several nodes in one process do
/// not add up.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    accepted: IntCounterVec,
    refused: IntCounterVec,
    requests_refused: IntCounterVec,
    inflight: IntGaugeVec,
    commands: IntCounterVec,
    reply_errors: IntCounterVec,
    disconnects: IntCounterVec,
    unsubscribes: IntCounterVec,
    recoveries: IntCounterVec,
    received: IntCounterVec,
    received_bytes: IntCounterVec,
    sent: IntCounterVec,
    sent_bytes: IntCounterVec,
    conflated: IntCounter,
    ignored: IntCounterVec,
    webhooks: IntCounterVec,
    fixes_dropped: IntCounter,
    datagrams_dropped: IntCounterVec,
    fences_dropped: IntCounter,
    deliveries: IntCounter,
    publish_to_write: Histogram,
    panics: IntCounter,
    certificate_reloads: IntCounterVec,
    certificate_expiry: IntGaugeVec,
    quic_connections: IntCounterVec,
    quic_migrations: IntCounter,
    clients: IntGauge,
    users: IntGauge,
    subscriptions: IntGauge,
    channels: IntGauge,
    objects: IntGauge,
}

/// Sizes that are counted when they are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) clients: usize,
    pub(crate) users: usize,
    pub(crate) subscriptions: usize,
    pub(crate) channels: usize,
    pub(crate) objects: usize,
}

impl Metrics {
    /// `version` and `node` become labels of `nearcast_node_build`.
    pub(crate) fn new(version: &str, node: &str) -> Self {
        let registry = Registry::new();
        let by = |label, name, help| counters(&registry, name, help, &[label]);
        let now = |name, help| gauge(&registry, name, help);
        let total = |name, help| register(&registry, IntCounter::with_opts(opts(name, help)));
        let build = gauges(&registry, "node_build", "This node", &["version", "name"]);
        build.with_label_values(&[version, node]).set(1);
        let inflight = "Connections now";
        let reached = HistogramOpts::new(
            "nearcast_publish_to_write_seconds",
            "From a publication's acceptance to the kernel's having it for a client; the oldest \
             publication of each write counts",
        );
        let reached = Histogram::with_opts(reached.buckets(BUCKETS_SECONDS.to_vec()));
        Self {
            accepted: by("transport", "client_connections_accepted", "Connections accepted"),
            refused: by("reason", "client_connections_refused", "Ended before HTTP"),
            requests_refused: counters(
                &registry,
                "client_requests_refused",
                "Requests for a session that were not let in",
                &["transport", "reason"],
            ),
            inflight: gauges(&registry, "client_connections_inflight", inflight, &["transport"]),
            commands: by("method", "client_commands", "Commands from clients"),
            reply_errors: by("code", "client_num_reply_errors", "Errors in replies"),
            disconnects: by("code", "client_num_server_disconnects", "Ended by the server"),
            unsubscribes: by("code", "client_num_server_unsubscribes", "Ended by the server"),
            recoveries: by("recovered", "client_recover", "Recoveries asked for"),
            received: by("transport", "transport_messages_received", "From clients"),
            received_bytes: by("transport", "transport_messages_received_size", "Bytes of them"),
            sent: by("transport", "transport_messages_sent", "To clients"),
            sent_bytes: by("transport", "transport_messages_sent_size", "Bytes of them"),
            conflated: total(
                "geo_conflated",
                "Changes overtaken by later ones before they were told",
            ),
            webhooks: by("outcome", "webhook_attempts", "Messages to webhooks, and attempts again"),
            ignored: by(
                "reason",
                "geo_fixes_ignored",
                "Fixes, or stays in fences, that did not count",
            ),
            fixes_dropped: total("geo_fixes_dropped", "Fixes without a reply that were wrong"),
            datagrams_dropped: by("reason", "geo_datagrams_dropped", "Datagrams without effect"),
            fences_dropped: total("geo_fence_results_dropped", "Results of fences without room"),
            deliveries: total("node_deliveries", "Pushes put into mailboxes"),
            publish_to_write: register(&registry, reached),
            panics: total("node_connection_panics", "Connections ended by a fault of ours"),
            certificate_reloads: by(
                "outcome",
                "tls_certificate_reloads",
                "Changes of certificate or key, taken up or not",
            ),
            certificate_expiry: gauges(
                &registry,
                "tls_certificate_expiry_seconds",
                "Until the certificate in use expires; negative afterwards",
                &["certificate"],
            ),
            quic_connections: by("outcome", "quic_connections", "QUIC connections asked for"),
            quic_migrations: total("quic_migrations", "Changes of address in a session"),
            clients: now("node_num_clients", "Clients that have connected"),
            users: now("node_num_users", "Different users that have connected"),
            subscriptions: now("node_num_subscriptions", "Subscriptions"),
            channels: now("node_num_channels", "Channels that have subscribers"),
            objects: now("geo_objects", "Objects in channels of objects"),
            registry,
        }
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn render(&self, gauges: Gauges) -> String {
        let set = |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(0));
        set(&self.clients, gauges.clients);
        set(&self.users, gauges.users);
        set(&self.subscriptions, gauges.subscriptions);
        set(&self.channels, gauges.channels);
        set(&self.objects, gauges.objects);
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("a vector takes every byte");
        String::from_utf8(text).expect("the text format is UTF-8")
    }

    /// The counters of one transport, looked up once for each connection.
    pub(crate) fn transport(&self, name: &'static str) -> TransportMetrics {
        self.accepted.with_label_values(&[name]).inc();
        let inflight = self.inflight.with_label_values(&[name]);
        inflight.inc();
        TransportMetrics {
            inflight,
            received: self.received.with_label_values(&[name]),
            received_bytes: self.received_bytes.with_label_values(&[name]),
            sent: self.sent.with_label_values(&[name]),
            sent_bytes: self.sent_bytes.with_label_values(&[name]),
            messages: 0,
            bytes: 0,
            writes: 0,
        }
    }

    /// Shows the counters of these codes from the start, at zero: an alert on a rate needs a value
    /// before the first event.
    pub(crate) fn show_codes(
        &self,
        errors: impl Iterator<Item = u32>,
        disconnects: impl Iterator<Item = u16>,
    ) {
        for code in errors {
            self.reply_errors.with_label_values(&[&code.to_string()]);
        }
        for code in disconnects {
            self.disconnects.with_label_values(&[&code.to_string()]);
        }
    }

    pub(crate) fn command(&self, method: &str) {
        self.commands.with_label_values(&[method]).inc();
    }

    pub(crate) fn reply_error(&self, code: u32) {
        self.reply_errors.with_label_values(&[&code.to_string()]).inc();
    }

    pub(crate) fn disconnected(&self, code: u16) {
        self.disconnects.with_label_values(&[&code.to_string()]).inc();
    }

    pub(crate) fn unsubscribed(&self, code: u32) {
        self.unsubscribes.with_label_values(&[&code.to_string()]).inc();
    }

    pub(crate) fn recovered(&self, recovered: bool) {
        let label = if recovered { "yes" } else { "no" };
        self.recoveries.with_label_values(&[label]).inc();
    }

    pub(crate) fn conflated(&self, count: usize) {
        self.conflated.inc_by(count as u64);
    }

    pub(crate) fn ignored(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.ignored.with_label_values(&[reason]).inc_by(count as u64);
        }
    }

    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn fix_dropped(&self) {
        self.fixes_dropped.inc();
    }

    pub(crate) fn datagram_dropped(&self, reason: &'static str) {
        self.datagrams_dropped.with_label_values(&[reason]).inc();
    }

    pub(crate) fn fence_dropped(&self) {
        self.fences_dropped.inc();
    }

    pub(crate) fn delivered(&self, count: usize) {
        self.deliveries.inc_by(count as u64);
    }

    pub(crate) fn written(&self, since_accepted: Duration) {
        self.publish_to_write.observe(since_accepted.as_secs_f64());
    }

    pub(crate) fn quic_connection(&self, outcome: &'static str) {
        self.quic_connections.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn migrations(&self) -> Migrations {
        Migrations(self.quic_migrations.clone())
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn request_refused(&self, transport: &'static str, reason: &'static str) {
        self.requests_refused.with_label_values(&[transport, reason]).inc();
    }

    pub(crate) fn certificate_reloaded(&self, outcome: &'static str) {
        self.certificate_reloads.with_label_values(&[outcome]).inc();
    }

    /// `certificate` tells one certificate of the node from another.
    pub(crate) fn certificate_expires(&self, certificate: &str, in_seconds: i64) {
        self.certificate_expiry.with_label_values(&[certificate]).set(in_seconds);
    }
}

/// Counts addresses that clients change to.
#[derive(Debug)]
pub(crate) struct Migrations(IntCounter);

impl Migrations {
    pub(crate) fn count(&self) {
        self.0.inc();
    }
}

/// One connection's share of its transport's counters; it counts as present until this is dropped.
/// What was sent is added up here and told in portions: all cores take turns on a shared counter,
/// which at every write of a fan-out costs as much as the rest of the delivery.
#[derive(Debug)]
pub(crate) struct TransportMetrics {
    inflight: IntGauge,
    received: IntCounter,
    received_bytes: IntCounter,
    sent: IntCounter,
    sent_bytes: IntCounter,
    /// Not told yet.
    messages: u32,
    bytes: u64,
    writes: u32,
}

impl TransportMetrics {
    pub(crate) fn received(&mut self, bytes: usize) {
        self.received.inc();
        self.received_bytes.inc_by(bytes as u64);
        self.tell();
    }

    pub(crate) fn sent(&mut self, messages: u32, bytes: usize) {
        self.messages += messages;
        self.bytes += bytes as u64;
        if self.messages >= PORTION {
            self.tell();
        }
    }

    /// Whether the latency of this write is to be measured: that of every sixteenth is.
    pub(crate) fn is_sampled(&mut self) -> bool {
        self.writes = self.writes.wrapping_add(1);
        self.writes % SAMPLED == 1
    }

    /// Adds what was sent to the shared counters; at the latest with each of the client's messages,
    /// so with each pong.
    fn tell(&mut self) {
        self.sent.inc_by(u64::from(std::mem::take(&mut self.messages)));
        self.sent_bytes.inc_by(std::mem::take(&mut self.bytes));
    }
}

impl Drop for TransportMetrics {
    fn drop(&mut self) {
        self.tell();
        self.inflight.dec();
    }
}

/// Messages that a connection sends before it adds them to the shared counters.
const PORTION: u32 = 64;
/// One write of so many has its latency measured.
const SAMPLED: u32 = 16;

/// 50 µs to 10 s.
const BUCKETS_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("nearcast_{name}"), help)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(opts(name, help), labels))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(registry, IntGaugeVec::new(opts(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::with_opts(opts(name, help)))
}

fn register<M>(registry: &Registry, metric: prometheus::Result<M>) -> M
where
    M: prometheus::core::Collector + Clone + 'static,
{
    let metric = metric.expect("names and labels above are valid");
    registry.register(Box::new(metric.clone())).expect("each name above is used once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_and_a_dropped_connection_is_not_counted() {
        let metrics = Metrics::new("1.0", "n");
        let mut transport = metrics.transport("websocket");
        transport.received(7);
        transport.sent(3, 30);
        metrics.disconnected(3008);
        let text = metrics.render(Gauges { clients: 3, ..Gauges::default() });
        for line in [
            "nearcast_client_num_server_disconnects{code=\"3008\"} 1",
            "nearcast_client_connections_inflight{transport=\"websocket\"} 1",
            "nearcast_transport_messages_received_size{transport=\"websocket\"} 7",
            "nearcast_node_num_clients 3",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        drop(transport);
        let text = metrics.render(Gauges::default());
        assert!(text.contains("nearcast_transport_messages_sent_size{transport=\"websocket\"} 30"));
        assert!(text.contains("nearcast_client_connections_inflight{transport=\"websocket\"} 0"));
    }
}
