//! What may be changed in a subject right now?

use std::fmt;
use std::str::FromStr;

use super::error::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
    /// Read-only whatever the subjects say.
    ReadOnlyOverride,
    /// The client gives ids and versions: for moving from another registry.
    Import,
}

impl Mode {
    const ALL: [(Mode, &'static str); 4] = [
        (Mode::ReadWrite, "READWRITE"),
        (Mode::ReadOnly, "READONLY"),
        (Mode::ReadOnlyOverride, "READONLY_OVERRIDE"),
        (Mode::Import, "IMPORT"),
    ];

    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Mode::ReadOnly | Mode::ReadOnlyOverride)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Mode::ALL.iter().find(|(mode, _)| mode == self).map_or("READWRITE", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Mode {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Mode, Refusal> {
        let found = Mode::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|(mode, _)| *mode).ok_or_else(Refusal::invalid_mode)
    }
}
