//! Which batches lie in some bytes of a run, and what is wrong with them?

use bytes::Bytes;
use model::{Error, Offset};
use wire::batch::{self, BatchHeader, HEADER_BYTES};

use super::Found;

/// A stretch of a run that is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub found: Found,
    /// Where a batch begins, and its first offset.
    pub start: u64,
    pub expected: Offset,
    pub end: u64,
    /// Batches before the one with this offset are passed over.
    pub from: Offset,
}

/// What was in it.
#[derive(Debug)]
pub(crate) struct Taken {
    pub batches: Vec<Bytes>,
    /// Why the list ends early.
    pub error: Option<Error>,
    /// The run was read to its end.
    pub is_whole: bool,
}

/// What came of parsing.
#[derive(Debug)]
pub(crate) enum Parsed {
    Taken(Taken),
    /// The first batch that is wanted ends here: read on to this byte.
    Short {
        end: u64,
    },
    /// This batch is wrong.
    Damaged {
        before: Vec<Bytes>,
        first: Offset,
        last: Offset,
        why: String,
    },
}

impl Piece {
    /// Takes the batches out of the bytes `start..end` of the object.
    pub fn parse(&self, bytes: &Bytes) -> Parsed {
        let run = self.found.held.run;
        let run_end = run.position + run.bytes;
        let (mut at, mut expected, mut batches) = (0_usize, self.expected, Vec::new());
        loop {
            let position = self.start + at as u64;
            let rest = &bytes[at..];
            if position >= run_end || rest.len() < HEADER_BYTES {
                let is_whole = position >= run_end;
                if !is_whole && batches.is_empty() && self.end < run_end {
                    return Parsed::Short { end: run_end.min(position + HEADER_BYTES as u64) };
                }
                return Parsed::Taken(Taken { batches, error: None, is_whole });
            }
            let damaged =
                |last: Offset, why: String, before: Vec<Bytes>| Parsed::Damaged { before, first: expected, last, why };
            let header = match BatchHeader::parse(rest) {
                Ok(header) => header,
                Err(error) => return damaged(Offset(run.next.0 - 1), error.to_string(), batches),
            };
            let total = header.total_bytes();
            let last = Offset(header.last_offset());
            if header.base_offset != expected.0 || last >= run.next || position + total as u64 > run_end {
                return damaged(Offset(run.next.0 - 1), "its header does not fit in".into(), batches);
            }
            if rest.len() < total {
                return match batches.is_empty() {
                    true => Parsed::Short { end: position + total as u64 },
                    false => Parsed::Taken(Taken { batches, error: None, is_whole: false }),
                };
            }
            if last >= self.from {
                let batch = bytes.slice(at..at + total);
                if let Err(error) = batch::check(&batch) {
                    return damaged(last, error.to_string(), batches);
                }
                batches.push(batch);
            }
            at += total;
            expected = last.plus(1);
        }
    }

    /// The error for offsets of this run that cannot be read.
    pub fn damage(&self, first: Offset, last: Offset, why: &str) -> Error {
        let run = self.found.held.run;
        Error::damaged(format!(
            "offsets {first} to {last} of partition {} of topic {} are damaged in object '{}' of the archive ({why}); \
             bring the object back from a copy, or delete records below offset {} to go on behind them",
            run.partition,
            run.topic,
            self.found.name,
            last.0 + 1
        ))
    }
}

#[cfg(test)]
mod tests {
    use model::{ShardId, TopicId};
    use uuid::Uuid;

    use super::*;
    use crate::index::Held;
    use crate::object::{ObjectBuilder, tests::batch};
    use crate::run::TopicRef;

    fn piece() -> (Piece, Bytes) {
        let topic = TopicRef { id: TopicId(Uuid::nil()), name: "t".into() };
        let mut builder = ObjectBuilder::new(Uuid::nil(), ShardId(0), Uuid::nil(), 0);
        for base in [10, 12, 14] {
            builder.push(&topic, 0, batch(base, 2, 5, 1)).unwrap();
        }
        let built = builder.build();
        let run = built.footer.runs[0];
        let found =
            Found { held: Held { object: Uuid::nil(), run }, name: "x".into(), object_bytes: built.bytes, shard: 0 };
        let (start, end) = (run.position, run.position + run.bytes);
        let object: Bytes = built.parts.concat().into();
        (Piece { found, start, expected: run.base, end, from: run.base }, object.slice(8..8 + run.bytes as usize))
    }

    fn bases(parsed: Parsed) -> (Vec<i64>, bool) {
        let Parsed::Taken(taken) = parsed else { panic!("{parsed:?}") };
        let base = |batch: &Bytes| BatchHeader::parse(batch).unwrap().base_offset;
        (taken.batches.iter().map(base).collect(), taken.is_whole)
    }

    #[test]
    fn batches_before_the_offset_are_passed_over() {
        let (mut piece, bytes) = piece();
        assert_eq!(bases(piece.parse(&bytes)), (vec![10, 12, 14], true));
        piece.from = Offset(13);
        assert_eq!(bases(piece.parse(&bytes)), (vec![12, 14], true));
    }

    #[test]
    fn where_not_even_one_batch_is_whole_more_is_asked_for() {
        let (mut piece, bytes) = piece();
        let one = bytes.len() / 3;
        for length in [10, HEADER_BYTES, one - 1] {
            piece.end = piece.start + length as u64;
            let Parsed::Short { end } = piece.parse(&bytes.slice(..length)) else { panic!("{length}") };
            assert!(end > piece.end && end <= piece.start + one as u64);
        }
        assert_eq!(bases(piece.parse(&bytes.slice(..one + 5))), (vec![10], false));
    }

    #[test]
    fn no_flipped_byte_is_served_and_the_offsets_are_named() {
        let (piece, bytes) = piece();
        let one = bytes.len() / 3;
        for at in 0..bytes.len() {
            // The leader epoch is outside of the CRC; the run's CRC covers it.
            if (12..16).contains(&(at % one)) {
                continue;
            }
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            let Parsed::Damaged { before, first, last, .. } = piece.parse(&changed.into()) else { panic!("byte {at}") };
            assert_eq!(before.len(), at / one);
            assert_eq!(first.0, 10 + 2 * (at / one) as i64);
            assert!(last == first.plus(1) || last == Offset(15), "{last}");
        }
    }
}
