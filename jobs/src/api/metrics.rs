//! Counts and times of requests, as Prometheus reads them.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];

/// What a request was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    service: &'static str,
    action: &'static str,
}

/// And how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    service: &'static str,
    action: &'static str,
    status: u16,
    error: String,
}

/// The server's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Ended, Counter>,
    seconds: Family<Asked, Histogram>,
    under_way: Gauge,
    segments_waiting: Gauge,
}

impl Metrics {
    /// Metrics of a server that started at a time.
    pub(crate) fn new(started_ms: i64) -> Self {
        let mut registry = Registry::with_prefix("northstar");
        let requests = Family::<Ended, Counter>::default();
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        let under_way = Gauge::default();
        let segments_waiting = Gauge::default();
        let started = Gauge::<f64, AtomicU64>::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_seconds", "Time to an answer", seconds.clone());
        registry.register("requests_under_way", "Requests not answered yet", under_way.clone());
        registry.register(
            "request_log_pieces_waiting",
            "Pieces of the request log that are not in the bucket for records yet",
            segments_waiting.clone(),
        );
        registry.register("start_time_seconds", "When the server started", started.clone());
        let seconds_1970 = std::time::Duration::from_millis(started_ms.unsigned_abs());
        started.set(seconds_1970.as_secs_f64());
        Self { registry, requests, seconds, under_way, segments_waiting }
    }

    /// So many pieces of the request log wait to be put into the bucket for records.
    pub(crate) fn segments_waiting(&self, pieces: usize) {
        self.segments_waiting.set(i64::try_from(pieces).unwrap_or(i64::MAX));
    }

    /// A request came.
    pub(crate) fn begin(&self) {
        self.under_way.inc();
    }

    /// It was answered. Actions are those of the server's own list: their number is bounded.
    pub(crate) fn end(
        &self,
        service: &'static str,
        action: &'static str,
        status: u16,
        error: &str,
        duration_ms: i64,
    ) {
        self.under_way.dec();
        let ended = Ended { service, action, status, error: error.to_string() };
        self.requests.get_or_create(&ended).inc();
        let duration = std::time::Duration::from_millis(duration_ms.unsigned_abs());
        self.seconds.get_or_create(&Asked { service, action }).observe(duration.as_secs_f64());
    }

    /// All of them as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_action_and_end() {
        let metrics = Metrics::new(7_000);
        metrics.begin();
        metrics.end("glue", "GetTable", 200, "", 3);
        metrics.begin();
        metrics.end("glue", "GetTable", 400, "EntityNotFoundException", 1);
        let text = metrics.text();
        for line in [
            r#"northstar_requests_total{service="glue",action="GetTable",status="200",error=""} 1"#,
            r#"northstar_request_seconds_count{service="glue",action="GetTable"} 2"#,
            "northstar_requests_under_way 0",
            "northstar_start_time_seconds 7.0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
