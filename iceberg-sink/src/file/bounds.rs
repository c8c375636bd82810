//! What is a short bound that is still a bound?
//!
//! Iceberg's writers keep 16 characters or bytes of a value in its bounds: a lower bound may be cut, an upper one must
//! grow in its last place when it is cut. Where it cannot grow there is no bound.

#[cfg(test)]
mod tests;

/// Characters of a text, or bytes, that a bound keeps.
pub const BOUND_LENGTH: usize = 16;

pub fn text_lower(value: &str) -> &str {
    cut(value).unwrap_or(value)
}

pub fn text_upper(value: &str) -> Option<String> {
    let Some(prefix) = cut(value) else { return Some(value.to_owned()) };
    let mut prefix = prefix.to_owned();
    while let Some(last) = prefix.pop() {
        // The next character; the gap of the surrogates is none.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

/// The first characters of a text that is longer.
fn cut(value: &str) -> Option<&str> {
    value.char_indices().nth(BOUND_LENGTH).map(|(end, _)| &value[..end])
}

pub fn bytes_lower(value: &[u8]) -> &[u8] {
    &value[..value.len().min(BOUND_LENGTH)]
}

pub fn bytes_upper(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() <= BOUND_LENGTH {
        return Some(value.to_vec());
    }
    let mut prefix = value[..BOUND_LENGTH].to_vec();
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            return Some(prefix);
        }
    }
    None
}

/// Bounds of the values that are numbers. Engines order -0.0 and 0.0 differently, so that a lower bound of zero is
/// -0.0 and an upper one 0.0.
pub fn of_floats(values: impl Iterator<Item = f64>) -> (Option<f64>, Option<f64>) {
    let (mut lower, mut upper) = (None, None);
    for value in values.filter(|value| !value.is_nan()) {
        lower = Some(lower.map_or(value, |lower: f64| lower.min(value)));
        upper = Some(upper.map_or(value, |upper: f64| upper.max(value)));
    }
    (
        lower.map(|value| if value == 0.0 { -0.0 } else { value }),
        upper.map(|value| if value == 0.0 { 0.0 } else { value }),
    )
}
