//! What is in one file now, and what after a crash?

use crate::clock::Random;

#[derive(Debug)]
pub(super) struct File {
    /// What reads see.
    pub(super) bytes: Vec<u8>,
    /// What is durable, `None` if it is the same.
    durable: Option<Vec<u8>>,
    /// Written since, in order.
    loose: Vec<(usize, Vec<u8>)>,
    pub(super) handles: u32,
}

impl File {
    pub(super) fn durable(bytes: Vec<u8>) -> File {
        File { bytes, durable: None, loose: Vec::new(), handles: 0 }
    }

    /// A file that nobody has synced.
    pub(super) fn fresh(bytes: Vec<u8>) -> File {
        File { loose: vec![(0, bytes.clone())], bytes, durable: Some(Vec::new()), handles: 0 }
    }

    pub(super) fn sync(&mut self) {
        self.durable = None;
        self.loose.clear();
    }

    /// Durable at once.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        if let Some(durable) = &mut self.durable {
            durable.resize(durable.len().max(at + bytes.len()), 0);
            durable[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Seen, and lost with the power unless somebody syncs the file.
    pub(super) fn write_loosely(&mut self, at: usize, bytes: &[u8]) {
        self.durable.get_or_insert_with(|| self.bytes.clone());
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.loose.push((at, bytes.to_vec()));
    }

    /// At the end of the file, as [`File::write_loosely`].
    pub(super) fn append_loosely(&mut self, bytes: &[u8]) {
        self.durable.get_or_insert_with(|| self.bytes.clone());
        self.loose.push((self.bytes.len(), bytes.to_vec()));
        self.bytes.extend_from_slice(bytes);
    }

    /// A write that failed: any of its sectors are there.
    pub(super) fn tear(&mut self, at: usize, bytes: &[u8], sector: usize, dice: &Random) {
        let mut torn = self.bytes[at..at + bytes.len()].to_vec();
        scatter(&mut torn, 0, bytes, sector, dice);
        self.write(at, &torn);
    }

    /// The durable bytes and any part of what was written since.
    pub(super) fn after_crash(&self, dice: &Random, sector: usize) -> Vec<u8> {
        let Some(durable) = &self.durable else { return self.bytes.clone() };
        let mut bytes = durable.clone();
        let more = self.bytes.len() - bytes.len();
        let kept = match dice.next() % 4 {
            0 => 0,
            1 => more,
            _ => usize::try_from(dice.next()).expect("64 bits") % (more + 1),
        };
        bytes.resize(durable.len() + kept, 0);
        for (at, written) in &self.loose {
            let room = bytes.len().saturating_sub(*at).min(written.len());
            scatter(&mut bytes, *at, &written[..room], sector, dice);
        }
        bytes
    }
}

/// Puts any sectors of `bytes` at `at`: all, none, or each with a chance of one half.
pub(super) fn scatter(target: &mut [u8], at: usize, bytes: &[u8], sector: usize, dice: &Random) {
    let (mut coins, choice) = (0, dice.next() % 8);
    for (n, piece) in bytes.chunks(sector).enumerate() {
        if n % 64 == 0 {
            coins = match choice {
                0 | 1 => u64::MAX,
                2 | 3 => 0,
                _ => dice.next(),
            };
        }
        if coins >> (n % 64) & 1 == 1 {
            let at = at + n * sector;
            target[at..at + piece.len()].copy_from_slice(piece);
        }
    }
}
