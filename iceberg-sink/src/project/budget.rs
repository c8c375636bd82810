//! How many values may one record become?

use model::limits::ROW_VALUES_MAX;

use crate::types::Fault;

/// What a record may still add to the columns. An element of a list takes one byte on the wire, but a place in every
/// column below the list: without a bound a small record could fill the memory.
#[derive(Debug)]
pub struct Budget(u64);

impl Budget {
    pub fn full() -> Budget {
        Budget(ROW_VALUES_MAX)
    }

    /// Takes `values` away for one more element.
    pub fn take(&mut self, values: u64) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(values).ok_or_else(|| {
            Fault::new(format!("the record becomes more than {ROW_VALUES_MAX} values: split its lists"))
        })?;
        Ok(())
    }

    pub fn used(&self) -> u64 {
        ROW_VALUES_MAX - self.0
    }
}
