//! Would the simulator notice? Each bug is planted in turn, and found within the seeds of an ordinary run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{SEEDS, history};
use crate::tests::planted::{Bug, with};

/// The first seed of an ordinary run whose history finds the bug.
fn found_by(bug: Bug) -> Option<u64> {
    (0..SEEDS).find(|seed| catch_unwind(AssertUnwindSafe(|| with(Some(bug), || history(*seed)))).is_err())
}

macro_rules! found {
    ($($name:ident: $bug:ident;)+) => {
        $(
            #[test]
            fn $name() {
                let seed = found_by(Bug::$bug);
                println!("{:?} is found by seed {seed:?}", Bug::$bug);
                let seed = seed.expect("the bug is found");
                // It is the bug that was found.
                history(seed);
            }
        )+
    };
}

found! {
    a_skipped_flush_is_found: SkippedFlush;
    a_write_that_failed_and_is_called_durable_is_found: RetriedWrite;
    a_full_disk_that_nobody_notices_is_found: HiddenFull;
    an_early_acknowledgement_is_found: AckedEarly;
    an_acknowledgement_out_of_order_is_found: OutOfOrder;
    frames_without_proof_are_found: NoProof;
    a_tail_cut_too_early_is_found: CutTooMuch;
    a_tail_cut_too_late_is_found: CutTooLittle;
    an_unchecked_payload_is_found: UncheckedPayload;
    a_log_start_lost_with_its_segment_is_found: LostStart;
    a_deletion_lost_with_its_segment_is_found: LostTomb;
    a_gap_that_nobody_noted_is_found: LostGap;
    a_segment_reclaimed_too_early_is_found: ReclaimedEarly;
    a_lookup_off_by_one_is_found: OffByOne;
}
