//! Which pairs of types were already compared?
//!
//! Types refer to each other in circles and share parts: every pair is compared once, and a pair that is met again
//! while it is being compared is taken to fit. When it then does not, all that leaned on it is forgotten.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;

/// Pairs within pairs; the comparing thread has a stack for so many.
const DEPTH_MAX: usize = 2_000;
/// Comparisons of one request.
const STEPS_MAX: usize = 500_000;

#[derive(Debug)]
pub(super) struct Pairs<K> {
    known: HashMap<K, Known>,
    /// Pairs taken to fit, oldest first.
    trail: Vec<K>,
    depth: usize,
    steps: usize,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    fits: bool,
    /// Were the reasons told? A pair that failed quietly is compared once more where its reasons matter.
    told: bool,
}

pub(super) enum Begin {
    Known(bool),
    /// Compare, then call `end` with this mark.
    Open(usize),
    /// More than is good: take it as not fitting and say so.
    TooMuch,
}

impl<K: Hash + Eq + Clone> Pairs<K> {
    pub(super) fn new() -> Pairs<K> {
        Pairs { known: HashMap::new(), trail: Vec::new(), depth: 0, steps: 0 }
    }

    pub(super) fn begin(&mut self, pair: K, quiet: bool) -> Begin {
        self.steps += 1;
        match self.known.get(&pair) {
            Some(known) if known.fits || known.told || quiet => return Begin::Known(known.fits),
            _ => {}
        }
        if self.depth >= DEPTH_MAX || self.steps > STEPS_MAX {
            return Begin::TooMuch;
        }
        self.depth += 1;
        let mark = self.trail.len();
        self.known.insert(pair.clone(), Known { fits: true, told: !quiet });
        self.trail.push(pair);
        Begin::Open(mark)
    }

    pub(super) fn end(&mut self, mark: usize, fits: bool, quiet: bool) {
        self.depth -= 1;
        if fits {
            return;
        }
        for (index, pair) in self.trail.drain(mark..).enumerate() {
            if index == 0 {
                self.known.insert(pair, Known { fits: false, told: !quiet });
            } else {
                self.known.remove(&pair);
            }
        }
    }
}
