//! Does the log keep its promises through any history that a seed can think of?
//!
//! A history is a few lives of a process on one disk. In each of them workers append, read, trim, delete and wait,
//! while the disk is slow, torn, broken or full; a life ends in order, by a kill or by a loss of power. What the log
//! says is compared with a model of what it was told. Now and then the disk is looked at as a crash at this moment
//! would leave it.
//!
//! `FRAZIL_SIM_SEEDS=1000` runs so many histories, `FRAZIL_SIM_SEEDS=77..78` this one.

mod bugs;
mod life;
mod model;
mod states;
mod verify;

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ::model::ShardId;

use super::fake::{Fake, Image};
use super::planted;
use crate::log::LogConfig;
use crate::segment::number_of;
use life::Life;
use model::Model;

/// Histories of an ordinary run.
const SEEDS: u64 = 60;
const LIVES: u64 = 5;

/// What has happened in a history, or in several: the test looks that all of it did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    pub ended_in_order: u64,
    pub killed: u64,
    pub fenced: u64,
    pub refused_for_room: u64,
    pub acknowledged: u64,
    pub looks: u64,
    pub reads: u64,
    pub failed_reads: u64,
    pub first_segment_gone: u64,
    pub gaps: u64,
    pub flips: u64,
    pub trace: u64,
}

impl Summary {
    fn add(&mut self, mut other: Summary) {
        let (all, more) = (self.numbers(), other.numbers());
        all.into_iter().zip(more).for_each(|(all, more)| *all += *more);
    }

    fn numbers(&mut self) -> [&mut u64; 11] {
        [
            &mut self.ended_in_order,
            &mut self.killed,
            &mut self.fenced,
            &mut self.refused_for_room,
            &mut self.acknowledged,
            &mut self.looks,
            &mut self.reads,
            &mut self.failed_reads,
            &mut self.first_segment_gone,
            &mut self.gaps,
            &mut self.flips,
        ]
    }
}

/// The log of a history: small segments, so that much happens in few bytes.
fn config(seed: u64) -> LogConfig {
    let large = seed % 20 == 9;
    LogConfig {
        dir: "/log".into(),
        shard: ShardId(0),
        segment_bytes: if large { 4 << 20 } else { [64, 96, 160][seed as usize % 3] * 1024 },
        tail_cache_bytes: [0, 32 * 1024, 1 << 20][seed as usize / 3 % 3],
        checkpoint_bytes: [40_000, 200_000, u64::MAX / 2][seed as usize / 2 % 3],
    }
}

/// Runs the history of a seed; panics where the log breaks a promise.
pub(super) fn history(seed: u64) -> Summary {
    let (model, summary) = (Rc::new(RefCell::new(Model::default())), Rc::new(RefCell::new(Summary::default())));
    let (mut image, config) = (Image::new(), config(seed));
    for life in 0..LIVES {
        let fake = Fake::new(image, seed * 1_000 + life);
        let life = Life::new(fake.clone(), config.clone(), model.clone(), summary.clone());
        // Some lives end by themselves, in order or not.
        let steps = if fake.below(3) == 0 { u64::MAX } else { fake.below(500) };
        let ended = fake.run_for(steps, life.live());
        summary.borrow_mut().killed += u64::from(ended.is_none());
        // Without a loss of power the kernel still writes what it was given, or not.
        image = if fake.below(4) == 0 { fake.image() } else { fake.crash_image() };
        let mut summary = summary.borrow_mut();
        summary.trace = summary.trace.rotate_left(7) ^ fake.trace();
        summary.first_segment_gone += u64::from(!image.keys().any(|path| path.ends_with("core-0000000001.log")));
        summary.gaps += u64::from(has_gap(&image));
    }
    verify::last_life(seed, image, &config, &model, &summary);
    summary.take()
}

/// True if a segment is missing between others.
fn has_gap(image: &Image) -> bool {
    let mut numbers: Vec<u64> = image.keys().filter_map(|path| number_of(path.file_name()?.to_str()?)).collect();
    numbers.sort();
    numbers.windows(2).any(|pair| pair[1] != pair[0] + 1)
}

/// The seeds of this run.
fn seeds() -> Range<u64> {
    let Ok(wanted) = std::env::var("FRAZIL_SIM_SEEDS") else { return 0..SEEDS };
    let number = |text: &str| text.trim().parse().expect("FRAZIL_SIM_SEEDS is a number or a range such as 77..78");
    match wanted.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&wanted),
    }
}

#[test]
fn no_history_breaks_a_promise() {
    let (seeds, mut all) = (seeds(), Summary::default());
    for seed in seeds.clone() {
        match catch_unwind(AssertUnwindSafe(|| planted::with(None, || history(seed)))) {
            Ok(summary) => all.add(summary),
            Err(_) => panic!("seed {seed} breaks a promise; run it alone with FRAZIL_SIM_SEEDS={seed}..{}", seed + 1),
        }
    }
    println!("{all:?}");
    if seeds == (0..SEEDS) {
        assert!(all.ended_in_order > 20 && all.killed > 20 && all.looks > 100, "{all:?}");
        assert!(all.fenced > 10 && all.refused_for_room > 10 && all.failed_reads > 0, "{all:?}");
        assert!(all.acknowledged > 3_000 && all.reads > 300, "{all:?}");
        assert!(all.first_segment_gone > 10 && all.gaps > 5 && all.flips > 4, "{all:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in [1, 2, 9] {
        assert_eq!(history(seed), history(seed), "seed {seed}");
    }
    assert_ne!(history(1).trace, history(2).trace);
}
