//! Does the watchdog bite when it should, and only then?

use super::*;

#[test]
fn ten_looks_without_a_beat_are_a_hang() {
    let mut still = Still::default().look(5, false);
    for look in 1..=10 {
        assert!(!still.is_hang(), "bites before look {look}");
        still = still.look(5, false);
    }
    assert!(still.is_hang());
}

#[test]
fn one_beat_starts_the_count_again() {
    let mut still = Still { beats: 5, looks: 9 };
    still = still.look(6, false);
    assert_eq!(still, Still { beats: 6, looks: 0 });
    assert!(!still.look(6, false).is_hang());
}

#[test]
fn a_shard_that_ended_does_not_hang() {
    let mut still = Still { beats: 5, looks: 0 };
    for _ in 0..100 {
        still = still.look(5, true);
    }
    assert!(!still.is_hang());
}

#[test]
fn the_thread_names_the_shard_that_hangs() {
    let beating = Arc::new(Heartbeat::new(ShardId(0)));
    let hung = Arc::new(Heartbeat::new(ShardId(1)));
    let (report, reports) = flume::unbounded();
    let watchdog = Watchdog::start_with(vec![beating.clone(), hung], Duration::from_millis(2), move |shard| {
        report.send(shard).unwrap();
    })
    .unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let named = loop {
        beating.beat();
        if let Ok(shard) = reports.try_recv() {
            break shard;
        }
        assert!(std::time::Instant::now() < deadline, "the watchdog never bit");
        thread::sleep(Duration::from_micros(200));
    };
    drop(watchdog);
    assert_eq!(named, ShardId(1));
    assert!(hang_message(named).starts_with("shard 1 "));
}
