//! What does a node count, in the text form of Prometheus?

use std::fmt::Write;

use model::Result;

use super::admin::Admin;

struct Text(String);

impl Text {
    /// A family of samples: (labels, value).
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, f64)>) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
        }
    }
}

pub async fn text(admin: &Admin) -> Result<String> {
    let mut text = Text(String::new());
    let logs = admin.node.log_stats().await?;
    let mut log = |name: &str, kind: &str, help: &str, value: fn(&server::LogStats) -> f64| {
        text.family(name, kind, help, logs.iter().map(|(shard, stats)| (format!("shard=\"{shard}\""), value(stats))));
    };
    log("frazil_log_batches_total", "counter", "Record batches appended.", |s| s.appended_batches as f64);
    log("frazil_log_bytes_total", "counter", "Bytes of record batches appended.", |s| s.appended_bytes as f64);
    log("frazil_log_flushes_total", "counter", "Group commits written to disk.", |s| s.flushes as f64);
    log("frazil_log_flushed_bytes_total", "counter", "Bytes written with group commits.", |s| s.flushed_bytes as f64);
    log("frazil_log_backlog_bytes", "gauge", "Bytes appended and not yet durable.", |s| s.backlog_bytes as f64);
    log("frazil_log_segments", "gauge", "Segments of the log.", |s| s.segments as f64);
    log("frazil_log_tail_bytes", "gauge", "Recent batches held in memory.", |s| s.tail_bytes as f64);
    log("frazil_log_partitions", "gauge", "Partitions with batches in the log.", |s| s.partitions as f64);

    let health = admin.node.log_health().await?;
    let mut state = |name: &str, help: &str, value: fn(&server::LogHealth) -> usize| {
        let samples = health.iter().map(|(shard, health)| (format!("shard=\"{shard}\""), value(health) as f64));
        text.family(name, "gauge", help, samples);
    };
    state("frazil_log_fenced", "1 after a failed write: the process must be restarted.", |h| {
        usize::from(h.fenced.is_some())
    });
    state("frazil_log_full", "1 while the disk has no room for a further segment.", |h| usize::from(h.full.is_some()));
    state("frazil_log_lost_ranges", "Ranges of offsets that are damaged on disk.", |h| h.lost_ranges);

    let lake = admin.lake.status();
    let label = |topic: &str| format!("topic=\"{topic}\"");
    let lag = lake.iter().map(|topic| (label(&topic.topic), topic.lag_records as f64));
    text.family("frazil_lake_lag_records", "gauge", "Committed records that are not in the table.", lag);
    let commits = lake.iter().map(|topic| (label(&topic.topic), topic.commits as f64));
    text.family("frazil_lake_commits_total", "counter", "Commits to the table since the start.", commits);
    let dead = lake.iter().map(|topic| (label(&topic.topic), topic.dead_letters as f64));
    text.family("frazil_lake_dead_letters", "gauge", "Rows of the dead-letter table.", dead);
    let stuck = lake.iter().map(|topic| (label(&topic.topic), f64::from(u8::from(topic.last_error.is_some()))));
    text.family("frazil_lake_stopped", "gauge", "1 while the table does not move because of an error.", stuck);
    let archive = admin.archiver.status().shards;
    let mut archive = |name: &str, kind: &str, help: &str, value: fn(&tiered::ShardStatus) -> f64| {
        text.family(name, kind, help, archive.iter().map(|s| (format!("shard=\"{}\"", s.shard), value(s))));
    };
    let risk = "Committed bytes that are lost with the disk.";
    archive("frazil_archive_bytes_at_risk", "gauge", risk, |s| s.bytes_at_risk as f64);
    archive("frazil_archive_bytes", "gauge", "Bytes of batches in the archive.", |s| s.bytes as f64);
    archive("frazil_archive_objects", "gauge", "Objects of the archive.", |s| s.objects as f64);
    archive("frazil_archive_runs", "gauge", "Pieces of partitions in them.", |s| s.runs as f64);
    archive("frazil_archive_uploaded_bytes_total", "counter", "Bytes uploaded.", |s| s.uploaded_bytes as f64);
    archive("frazil_archive_requests_total", "counter", "Requests to the object store.", |s| s.requests as f64);
    let stuck = "1 while the archive does not move because of an error.";
    archive("frazil_archive_stopped", "gauge", stuck, |s| f64::from(u8::from(s.last_error.is_some())));
    let topics = admin.node.cluster().topics().count();
    text.family("frazil_topics", "gauge", "Topics of the cluster.", [(String::new(), topics as f64)]);
    Ok(text.0)
}
