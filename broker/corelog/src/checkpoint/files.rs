//! Which files hold checkpoints and indexes?

use std::path::{Path, PathBuf};

use runtime::DirEntry;

use crate::segment;

/// A checkpoint that is being written.
pub(crate) const UNFINISHED: &str = "checkpoint.new";

/// A checkpoint in the folder of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub number: u64,
    /// Nothing was written to the log since.
    pub clean: bool,
}

impl Name {
    fn of(name: &str) -> Option<Name> {
        let rest = name.strip_prefix("checkpoint-")?;
        let (digits, clean) = rest.strip_suffix(".clean").map_or((rest, false), |digits| (digits, true));
        let found = Name { number: digits.parse().ok()?, clean };
        (found.file_name() == name).then_some(found)
    }

    fn file_name(self) -> String {
        format!("checkpoint-{:010}{}", self.number, if self.clean { ".clean" } else { "" })
    }

    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.file_name())
    }

    /// The checkpoints of a folder, the newest first.
    pub fn all(entries: &[DirEntry]) -> Vec<Name> {
        let mut names: Vec<Name> = entries.iter().filter_map(|entry| Name::of(&entry.name)).collect();
        names.sort_by_key(|name| std::cmp::Reverse((name.number, name.clean)));
        names
    }
}

/// The file of a segment's index.
pub(crate) fn index_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("core-{segment:010}.idx"))
}

/// The segment whose index a file is.
pub(crate) fn index_of(name: &str) -> Option<u64> {
    segment::number_of(&format!("{}.log", name.strip_suffix(".idx")?))
}
