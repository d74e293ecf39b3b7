//! What a node tells its operator: metrics here, logs by `tracing` everywhere.

mod metrics;

pub(crate) use metrics::{Gauges, Metrics, Migrations, TransportMetrics};
