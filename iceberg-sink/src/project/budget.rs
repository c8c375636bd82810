//! How many values may one record become?

use model::limits::ROW_VALUES_MAX;

use crate::types::Fault;

/// What a record may still add to the columns. An element of a list takes one byte on the wire, but a place in every
/// column below the list: without a bound a small record could fill the memory.
#[derive(Debug)]
pub struct Budget {
    left: u64,
    used: u64,
}

impl Budget {
    pub fn full() -> Budget {
        Budget { left: ROW_VALUES_MAX, used: 0 }
    }

    /// Takes `values` (of 8 bytes) away for one more element, which stays with the row.
    pub fn take(&mut self, values: u64) -> Result<(), Fault> {
        self.hold(values)?;
        self.used += values;
        Ok(())
    }

    /// Takes `values` away for what is only noted while the record is read, until they are released.
    pub fn hold(&mut self, values: u64) -> Result<(), Fault> {
        self.left = self.left.checked_sub(values).ok_or_else(|| {
            Fault::new(format!("the record becomes more than {ROW_VALUES_MAX} values: split its lists"))
        })?;
        Ok(())
    }

    /// Gives back what was held.
    pub fn release(&mut self, values: usize) {
        self.left += values as u64;
        assert!(self.left + self.used <= ROW_VALUES_MAX, "only what was held is released");
    }

    /// What the row keeps.
    pub fn used(&self) -> u64 {
        self.used
    }
}
