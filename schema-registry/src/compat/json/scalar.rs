//! Which bounds of texts and numbers may change?

use serde_json::Value;

use super::Compare;
use super::shape::Site;

impl Compare {
    pub(super) fn strings(&mut self, old: Site, new: Site) -> bool {
        let mut fits = self.upper(old, new, "maxLength", ["MAX_LENGTH_ADDED", "MAX_LENGTH_DECREASED"]);
        fits &= self.lower(old, new, "minLength", ["MIN_LENGTH_ADDED", "MIN_LENGTH_INCREASED"]);
        fits & match (old.get("pattern"), new.get("pattern")) {
            (_, None) => true,
            (Some(old), Some(new)) if old == new => true,
            (None, Some(_)) => {
                self.fault("PATTERN_ADDED", "The {reader} schema has a 'pattern', the {writer} schema has none")
            }
            _ => self.fault("PATTERN_CHANGED", "The 'pattern' differs between the {reader} and the {writer} schema"),
        }
    }

    pub(super) fn numbers(&mut self, old: Site, new: Site, old_type: &str, new_type: &str) -> bool {
        let mut fits = self.upper(old, new, "maximum", ["MAXIMUM_ADDED", "MAXIMUM_DECREASED"]);
        fits &= self.lower(old, new, "minimum", ["MINIMUM_ADDED", "MINIMUM_INCREASED"]);
        let rules = ["EXCLUSIVE_MAXIMUM_ADDED", "EXCLUSIVE_MAXIMUM_DECREASED"];
        fits &= self.upper(old, new, "exclusiveMaximum", rules);
        let rules = ["EXCLUSIVE_MINIMUM_ADDED", "EXCLUSIVE_MINIMUM_INCREASED"];
        fits &= self.lower(old, new, "exclusiveMinimum", rules);
        for keyword in ["exclusiveMaximum", "exclusiveMinimum"] {
            // Draft 4: a flag that sharpens the bound.
            let flag = |site: Site| site.get(keyword).and_then(Value::as_bool).unwrap_or(false);
            if flag(new) && !flag(old) {
                fits &= self.fault(
                    "EXCLUSIVE_BOUND_ADDED",
                    "The {reader} schema excludes a bound that the {writer} schema includes",
                );
            }
        }
        fits &= match (number(old, "multipleOf"), number(new, "multipleOf")) {
            (_, None) => true,
            (None, Some(_)) => {
                self.fault("MULTIPLE_OF_ADDED", "The {reader} schema has a 'multipleOf', the {writer} schema has none")
            }
            (Some(old), Some(new)) => {
                is_multiple(old, new)
                    || self.fault(
                        "MULTIPLE_OF_CHANGED",
                        "The 'multipleOf' of the {reader} schema does not divide that of the {writer} schema",
                    )
            }
        };
        let narrowed = old_type == "number" && new_type == "integer";
        fits & (!narrowed
            || self.fault(
                "TYPE_NARROWED",
                "The type is 'integer' in the {reader} schema and 'number' in the {writer} schema",
            ))
    }

    /// A bound from above may rise or go; `rules` name what it may not: appear, or fall.
    pub(super) fn upper(&mut self, old: Site, new: Site, keyword: &str, rules: [&'static str; 2]) -> bool {
        self.bound(number(old, keyword), number(new, keyword), keyword, rules)
    }

    /// A bound from below may fall or go.
    pub(super) fn lower(&mut self, old: Site, new: Site, keyword: &str, rules: [&'static str; 2]) -> bool {
        self.bound(number(old, keyword).map(|n| -n), number(new, keyword).map(|n| -n), keyword, rules)
    }

    fn bound(&mut self, old: Option<f64>, new: Option<f64>, keyword: &str, rules: [&'static str; 2]) -> bool {
        let sentence = match (old, new) {
            (_, None) => return true,
            (Some(old), Some(new)) if new >= old => return true,
            (None, Some(_)) => {
                (rules[0], format!("The {{reader}} schema has a '{keyword}', the {{writer}} schema has none"))
            }
            _ => (
                rules[1],
                format!("The '{keyword}' of the {{reader}} schema is narrower than that of the {{writer}} schema"),
            ),
        };
        self.within(keyword, |this| this.fault(sentence.0, &sentence.1))
    }
}

fn number(site: Site, keyword: &str) -> Option<f64> {
    site.get(keyword).and_then(Value::as_f64)
}

/// Is `old` a multiple of `new`? Decimal fractions are not exact in binary: a rounding error counts as none.
fn is_multiple(old: f64, new: f64) -> bool {
    let quotient = old / new;
    (quotient - quotient.round()).abs() < 1e-9 * quotient.abs().max(1.0)
}
