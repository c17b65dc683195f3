//! The one table of metrics: name, kind, labels, help. Nothing is exposed that has no line here.
//!
//! Names carry `floodwall_` and their unit (`_seconds`, `_bytes`, `_total`); the `process_` ones are the names that every
//! Prometheus client library uses. A label only ever takes values from a bounded set: an enum, a configured name, or `other`.

use prometheus::core::Desc;
use prometheus::proto::{Metric, MetricFamily, MetricType};

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Def {
    /// Name as scraped.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One line for people.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size, with fixed buckets.
    Histogram,
}

impl Def {
    /// What the registry wants to know; `None` only where a name in this table is not a legal one.
    pub(super) fn desc(&self) -> Option<Desc> {
        let labels = self.labels.iter().map(ToString::to_string).collect();
        Desc::new(self.name.to_owned(), self.help.to_owned(), labels, std::collections::HashMap::new()).ok()
    }

    /// What stands above the series, as the text format has it; our help texts have nothing in them that it escapes.
    pub(super) fn heading(&self) -> String {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n", name = self.name, help = self.help)
    }

    /// The metric with its series.
    pub(super) fn family(&self, series: Vec<Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(series);
        family
    }
}

macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Def = Def { name: $name, kind: Kind::$kind, labels: &$labels, help: $help };
        )*
        /// Every metric of Floodwall.
        pub const ALL: &[Def] = &[$($id),*];
    };
}

metrics! {
    BUILD_INFO Gauge "floodwall_build_info" ["version"], "Always 1; the version is in the label.";
    CLIENTS Gauge "floodwall_clients" ["listener"], "Client connections, from accept to close.";
    SESSIONS Gauge "floodwall_sessions" ["listener", "state"], "Sessions by what they are doing.";
    SERVERS Gauge "floodwall_servers" ["listener"], "Connections to servers.";
    PINNED Gauge "floodwall_pinned_sessions" ["listener"], "Sessions that keep a pool's server beyond their transaction; SHOW PINS tells why.";
    POOL_SERVERS Gauge "floodwall_pool_servers" ["listener", "state"], "Servers of the pools of a listener, by PgBouncer's states.";
    POOL_LONGEST_WAITING Gauge "floodwall_pool_longest_waiting_seconds" ["listener"], "How long the client that waits longest for a server of a pool has waited; SHOW POOLS tells for which.";
    SERVER_UP Gauge "floodwall_server_up" ["listener", "server", "role"], "1 where a server answers its probe, else 0.";
    SERVER_USED Gauge "floodwall_server_used" ["listener", "server", "role"], "1 where a server is the one that is used, else 0.";
    REFUSALS Counter "floodwall_refusals_total" ["rule", "client"], "Statements and logins refused, by rule and client.";
    VERDICTS Counter "floodwall_rule_verdicts_total" ["rule", "mode"], "Breaches of a rule, by the mode it ran in.";
    RULE_FAILED Counter "floodwall_rule_failed_total" ["rule"], "Rules that panicked and are out of order until RELOAD.";
    GUARD_STATE Gauge "floodwall_guard_state" ["listener", "rule", "state"], "Always 1; what a rule does now is in the label: enforce, warn, off or failed.";
    WAITING Gauge "floodwall_waiting" ["cap"], "Newcomers waiting for a place, by cap.";
    WAIT_SECONDS Histogram "floodwall_wait_seconds" ["cap"], "How long newcomers waited for a place, by cap.";
    LOGINS Counter "floodwall_logins_total" ["outcome"], "Logins by outcome.";
    SESSIONS_ENDED Counter "floodwall_sessions_ended_total" ["reason"], "Sessions ended, by reason.";
    CANCELS Counter "floodwall_cancels_total" ["outcome"], "Cancel requests of clients by outcome.";
    OWN_CANCELS Counter "floodwall_own_cancels_total" ["reason"], "Statements that Floodwall cancelled by itself, by why: a rule, or session_ended.";
    CONSOLE_LOGINS Counter "floodwall_console_logins_total" ["outcome"], "Logins to the admin console by outcome.";
    STATEMENTS Counter "floodwall_statements_total" ["kind"], "Statements by kind.";
    STATEMENT_SECONDS Histogram "floodwall_statement_seconds" [], "Time from a statement to the end of its reply.";
    BYTES Counter "floodwall_bytes_total" ["direction"], "Bytes moved, by direction.";
    CACHE_BYTES Gauge "floodwall_cache_bytes" ["cache"], "Bytes held by the statement caches.";
    CACHE_ENTRIES Gauge "floodwall_cache_entries" ["cache"], "Entries of the statement caches.";
    CACHE_HITS Counter "floodwall_cache_hits_total" ["cache"], "Look-ups answered by a statement cache.";
    CACHE_MISSES Counter "floodwall_cache_misses_total" ["cache"], "Look-ups that a statement cache did not answer.";
    GUARD_SECONDS Histogram "floodwall_guard_statement_seconds" [], "Time that reading or judging one text took, where nothing was known of it and it was not short.";
    GUARD_SLOWEST Gauge "floodwall_guard_slowest_seconds" [], "The longest time that reading or judging one text took.";
    GUARD_OVER_TIME Counter "floodwall_guard_over_time_total" [], "Texts whose reading or judging took longer than limits.guard_time.";
    GUARD_BYTES Gauge "floodwall_guard_bytes" [], "Bytes of all caches of texts and shapes, and of texts and values that are being read elsewhere.";
    PREPARED Gauge "floodwall_prepared_statements" [], "Texts that clients of pools keep prepared by the protocol, each once for each worker.";
    PREPARED_BYTES Gauge "floodwall_prepared_bytes" [], "Bytes of the texts that clients of pools keep prepared and of their names for them, a part of limits.memory.";
    CAP_CURRENT Gauge "floodwall_cap_current" ["listener", "cap", "scope"], "What is in use of a cap; where scope is address, of the one that holds most.";
    CAP_LIMIT Gauge "floodwall_cap_limit" ["listener", "cap", "scope"], "Where a cap refuses.";
    CAP_WAITING Gauge "floodwall_cap_waiting" ["listener", "cap", "scope"], "Newcomers waiting below a cap.";
    CAP_REFUSED Counter "floodwall_cap_refused_total" ["listener", "cap", "scope"], "Newcomers that a cap refused.";
    SURGE_CONNECTIONS Gauge "floodwall_surge_connections" ["listener", "client"], "Open connections of a client.";
    SURGE_FAST Gauge "floodwall_surge_fast_average" ["listener", "client"], "Moving average of a client's connections over 5 seconds.";
    SURGE_SLOW Gauge "floodwall_surge_slow_average" ["listener", "client"], "Moving average of a client's connections over 5 minutes.";
    SURGE_SECONDS_TO_FULL Gauge "floodwall_surge_full_in_seconds" ["listener", "client"], "Time until a client reaches its cap at its present slope; absent where it does not grow.";
    SURGE_STATE Gauge "floodwall_surge_state" ["listener", "client", "state"], "Always 1; the state is in the label.";
    TLS_HANDSHAKES Counter "floodwall_tls_handshakes_total" ["side", "outcome", "version"], "TLS handshakes with clients and servers, by outcome and version.";
    TLS_EXPIRY Gauge "floodwall_tls_certificate_not_after_timestamp_seconds" ["listener", "side"], "When a certificate of Floodwall's ends, in seconds since 1970.";
    PAUSED Gauge "floodwall_paused" [], "1 while PAUSE holds sessions back.";
    DRAINING Gauge "floodwall_draining" [], "1 while Floodwall lets its sessions end.";
    BREAK_GLASS Counter "floodwall_break_glass_total" ["rule"], "Breaches of a rule that a break-glass pass lifted.";
    BREAK_GLASS_REJECTED Counter "floodwall_break_glass_rejected_total" ["reason"], "Break-glass passes that did not hold, by reason.";
    LOG_SUPPRESSED Counter "floodwall_log_lines_suppressed_total" [], "Log lines left out because clients triggered too many of them.";
    LOG_DROPPED Counter "floodwall_log_lines_dropped_total" [], "Log lines lost because whoever reads the log did not keep up, or because they could not be written.";
    RESIDENT_BYTES Gauge "process_resident_memory_bytes" [], "Resident memory.";
    OPEN_FDS Gauge "process_open_fds" [], "Open file descriptors.";
    MAX_FDS Gauge "process_max_fds" [], "Limit of open file descriptors.";
    THREADS Gauge "process_threads" [], "Threads of the process.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_and_unique() {
        let mut names = std::collections::HashSet::new();
        for def in ALL {
            assert!(def.desc().is_some(), "{}", def.name);
            assert!(names.insert(def.name), "{} twice", def.name);
            assert!(!def.help.is_empty());
        }
    }

    #[test]
    fn names_follow_the_convention() {
        for def in ALL {
            assert!(def.name.starts_with("floodwall_") || def.name.starts_with("process_"), "{}", def.name);
            assert_eq!(def.kind == Kind::Counter, def.name.ends_with("_total"), "{}", def.name);
            assert_eq!(
                def.kind == Kind::Histogram,
                ["_wait_seconds", "_statement_seconds"].iter().any(|end| def.name.ends_with(end))
                    && !def.name.contains("_max_"),
                "{}",
                def.name
            );
        }
    }
}
