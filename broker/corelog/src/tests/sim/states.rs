//! Is a log whole in whatever state a crash leaves its disk?
//!
//! Before each operation of the disk ends, in a few lives of small logs, the disk is looked at as several crashes at
//! this moment would leave it: of the writes in flight any sectors, of names that are not synced the first few, of
//! files that are not synced any part. So every prefix of all that is written is seen, with torn and reordered writes.
//! Each state that was not there before is recovered, and all of it is read.
//!
//! `FRAZIL_CRASH_STATES=100000` checks so many.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::life::Life;
use super::model::Model;
use super::{Summary, config, verify};
use crate::log::LogConfig;
use crate::tests::fake::{Fake, Image};

/// States of an ordinary run.
const STATES: usize = 3_000;
/// Crashes that are tried at each moment.
const CRASHES: u64 = 8;
/// Lives of one log, before another one is begun.
const LIVES: u64 = 3;

fn wanted() -> usize {
    let wanted = std::env::var("FRAZIL_CRASH_STATES");
    wanted.map_or(STATES, |number| number.parse().expect("FRAZIL_CRASH_STATES is a number"))
}

fn small(seed: u64) -> LogConfig {
    let checkpoint_bytes = if seed.is_multiple_of(2) { 40_000 } else { u64::MAX / 2 };
    LogConfig { segment_bytes: 48 * 1024, tail_cache_bytes: 0, checkpoint_bytes, ..config(0) }
}

fn hash(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (path, bytes) in image {
        (path, bytes.len(), crc32c::crc32c(bytes), crc32c::crc32c_append(1, bytes)).hash(&mut hasher);
    }
    hasher.finish()
}

/// What was checked.
#[derive(Default)]
struct Checked {
    /// States of the disk.
    states: HashSet<u64>,
    /// Each of them with what was promised at the time: a state may come again when more is.
    promised: HashSet<(u64, u64)>,
}

type Seen = Rc<RefCell<Checked>>;

/// One life, looked at between all its steps; returns what it leaves.
fn live(image: Image, seed: u64, config: &LogConfig, model: &Rc<RefCell<Model>>, seen: &Seen) -> Image {
    let fake = Fake::new(image, seed);
    let summary = Rc::new(RefCell::new(Summary::default()));
    let life = Life::new(fake.clone(), config.clone(), model.clone(), summary).calm();
    let wanted = wanted();
    let (disk, config, model, seen) = (fake.clone(), config.clone(), model.clone(), seen.clone());
    fake.before_each_step(move || {
        for crash in 0..CRASHES {
            let image = disk.crash_image();
            let (state, mut seen) = (hash(&image), seen.borrow_mut());
            let more = seen.states.len() < wanted && seen.promised.insert((state, model.borrow().promises()));
            if more {
                seen.states.insert(state);
                verify::recovered(&Fake::new(image, seed + crash), &config, &model.borrow());
            }
        }
    });
    fake.run(life.live());
    fake.crash_image()
}

#[test]
fn no_crash_state_loses_what_was_acknowledged() {
    let (seen, mut logs) = (Seen::default(), 0);
    while seen.borrow().states.len() < wanted() {
        let (model, config, mut image) = (Rc::new(RefCell::new(Model::default())), small(logs), Image::new());
        for life in 0..LIVES {
            let seed = 1_000_000 + logs * 1_000 + life * 100;
            println!("seed {seed}, {} states so far", seen.borrow().states.len());
            image = live(image, seed, &config, &model, &seen);
        }
        logs += 1;
    }
    let states = seen.borrow().states.len();
    println!("{states} crash states of {logs} logs");
    assert_eq!(states, wanted());
}
