//! Does an unscaled decimal fit its precision?

use super::super::fault::Fault;

/// Digits whose powers of ten fit 128 bits; no column has more.
const EXACT_DIGITS_MAX: usize = 38;

/// The most digits that a decimal may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    digits: usize,
    /// 10^digits, where that fits.
    bound: Option<u128>,
}

impl Precision {
    pub fn new(digits: usize) -> Precision {
        let bound = u32::try_from(digits).ok().filter(|_| digits <= EXACT_DIGITS_MAX).map(|n| 10u128.pow(n));
        Precision { digits, bound }
    }

    /// `unscaled`: two's complement, most significant byte first. Exact up to 38 digits; beyond, where no column
    /// could hold the value anyway, any number is taken.
    pub fn check(&self, unscaled: &[u8]) -> Result<(), Fault> {
        let Some(first) = unscaled.first() else {
            return Err(Fault::new("a decimal has at least one byte"));
        };
        let Some(bound) = self.bound else { return Ok(()) };
        let negative = *first >= 0x80;
        let sign = if negative { 0xff } else { 0 };
        let significant = &unscaled[unscaled.iter().take_while(|b| **b == sign).count()..];
        let fits = significant.len() <= 16 && {
            let mut magnitude = 0u128;
            for byte in significant {
                magnitude = magnitude << 8 | u128::from(byte ^ sign);
            }
            // The complement of a negative number is one less than its magnitude.
            if negative { magnitude < bound - 1 } else { magnitude < bound }
        };
        match fits {
            true => Ok(()),
            false => Err(Fault::new(format!("a decimal has more than its {} digits", self.digits))),
        }
    }
}
