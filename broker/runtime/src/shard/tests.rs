//! Does a shard start with sound options, and report its end?

use super::*;
use crate::driver::Driver;
use crate::portable::start_shard_portable;

#[test]
fn registered_memory_fits_the_limit() {
    let mib = 1024 * 1024;
    assert_eq!(io_memory_bytes(8 * mib, 4), 8 * 1024 * 1024 / 24 / 4096 * 4096);
    assert_eq!(io_memory_bytes(512 * 1024, 64), IO_MEMORY_MIN, "never less than a ring needs");
    assert_eq!(io_memory_bytes(u64::MAX, 2), IO_MEMORY_MAX, "no limit is no invitation");
    assert_eq!(io_memory_bytes(8 * mib, 0), 8 * 1024 * 1024 / 6 / 4096 * 4096);
}

#[test]
fn a_core_that_does_not_exist_is_no_obstacle() {
    let options = ShardOptions::new(ShardId(0), Some(100_000), 1);
    start_shard_portable(options, |_| async {}).unwrap().join().unwrap();
}

#[test]
fn a_shard_beats_while_it_runs() {
    let shard = start_shard_portable(ShardOptions::new(ShardId(0), Some(0), 1), |driver| async move {
        driver.sleep_until(driver.now().plus_ms(300)).await;
    })
    .unwrap();
    let heartbeat = shard.heartbeat.clone();
    shard.join().unwrap();
    assert!(heartbeat.beats() >= 2, "{} beats in 300 ms", heartbeat.beats());
    assert!(heartbeat.is_finished());
}
