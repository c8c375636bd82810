//! How long should a producer pause while the disk of a shard is behind?

use model::limits::{LOG_BACKLOG_BYTES_MAX, THROTTLE_MS_MAX};

/// Nothing while less than half of what may wait for the disk does; from there to the bound evenly up to the longest
/// pause.
pub fn throttle_ms(backlog_bytes: usize) -> u32 {
    let half = LOG_BACKLOG_BYTES_MAX / 2;
    let over = backlog_bytes.saturating_sub(half).min(half) as u64;
    let ms = over * u64::from(THROTTLE_MS_MAX) / half as u64;
    u32::try_from(ms).expect("at most the longest pause")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_from_half_of_the_bound_on() {
        let half = LOG_BACKLOG_BYTES_MAX / 2;
        assert_eq!((throttle_ms(0), throttle_ms(half)), (0, 0));
        assert_eq!(throttle_ms(half + half / 2), THROTTLE_MS_MAX / 2);
        assert_eq!(throttle_ms(LOG_BACKLOG_BYTES_MAX), THROTTLE_MS_MAX);
        assert_eq!(throttle_ms(usize::MAX), THROTTLE_MS_MAX);
    }
}
