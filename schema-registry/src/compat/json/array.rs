//! Which items may come and go?

use serde_json::Value;

use super::Compare;
use super::object::Rest;
use super::shape::{Shape, Site};

/// An array's schema in the terms of all drafts: declared first items, then the rest.
struct Items<'a> {
    /// One schema for all items, where no first ones are declared.
    all: Option<Site<'a>>,
    first: Vec<Site<'a>>,
    /// Keyword of the schema for what comes after the first ones.
    rest: &'static str,
}

impl<'a> Items<'a> {
    fn of(site: Site<'a>) -> Items<'a> {
        let (first, rest) =
            if site.has_prefix_items() { ("prefixItems", "items") } else { ("items", "additionalItems") };
        let list = site.get(first).and_then(Value::as_array).into_iter().flatten();
        let first: Vec<Site> = list.map(|schema| site.at(schema)).collect();
        let all = site.child("items").filter(|items| first.is_empty() && !items.value().is_array());
        Items { all, first, rest }
    }

    fn rest(&self, site: Site<'a>) -> Rest<'a> {
        // Where one schema covers all items, `items` is not what follows the first ones.
        let rest = if self.all.is_some() && self.rest == "items" { Rest::Open } else { Rest::of(site, self.rest) };
        rest.or(site, "unevaluatedItems")
    }
}

impl Compare {
    pub(super) fn arrays(&mut self, old: Site, new: Site) -> bool {
        let (before, now) = (Items::of(old), Items::of(new));
        let mut fits = self.within("items", |this| this.optional(before.all, now.all));
        for (index, (old, new)) in before.first.iter().zip(&now.first).enumerate() {
            fits &= self.within(&format!("items/{index}"), |this| this.schemas(*old, *new));
        }
        for (index, item) in before.first.iter().enumerate().skip(now.first.len()) {
            let rest = now.rest(new);
            fits &= self.within(&format!("items/{index}"), |this| this.item_removed(*item, rest));
        }
        for (index, item) in now.first.iter().enumerate().skip(before.first.len()) {
            let rest = before.rest(old);
            fits &= self.within(&format!("items/{index}"), |this| this.item_added(rest, *item));
        }
        if before.all.is_none() && now.all.is_none() && before.rest == now.rest {
            let rules = ["ADDITIONAL_ITEMS_REMOVED", "ADDITIONAL_ITEMS_NARROWED"];
            fits &= self.rests(old, new, now.rest, rules);
        }
        let rules = ["UNEVALUATED_ITEMS_REMOVED", "UNEVALUATED_ITEMS_NARROWED"];
        fits &= self.rests(old, new, "unevaluatedItems", rules);
        fits &= self.upper(old, new, "maxItems", ["MAX_ITEMS_ADDED", "MAX_ITEMS_DECREASED"]);
        fits &= self.lower(old, new, "minItems", ["MIN_ITEMS_ADDED", "MIN_ITEMS_INCREASED"]);
        fits &= self.upper(old, new, "maxContains", ["MAX_CONTAINS_ADDED", "MAX_CONTAINS_DECREASED"]);
        fits &= self.lower(old, new, "minContains", ["MIN_CONTAINS_ADDED", "MIN_CONTAINS_INCREASED"]);
        let unique = |site: Site| site.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false);
        let is_stricter = unique(new) && !unique(old);
        fits & (!is_stricter
            || self.fault("UNIQUE_ITEMS_ADDED", "The {reader} schema wants unique items, the {writer} schema does not"))
    }

    fn item_removed(&mut self, old: Site, rest: Rest) -> bool {
        match rest {
            Rest::Open => true,
            Rest::Schema(rest) => {
                self.tries(old, rest)
                    || self.fault("ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "The {reader} schema no longer declares the item, and what it allows beyond the declared does not take it")
            }
            Rest::Closed => {
                old.value() == &Value::Bool(false)
                    || self.fault("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", "The {reader} schema allows no further items and no longer declares this one")
            }
        }
    }

    fn item_added(&mut self, rest: Rest, new: Site) -> bool {
        match rest {
            Rest::Closed => true,
            Rest::Open => {
                matches!(new.followed().shape(), Shape::Any)
                    || self.fault(
                        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL",
                        "The {writer} schema allows any further items, the {reader} schema declares one of them",
                    )
            }
            Rest::Schema(rest) => {
                self.tries(rest, new)
                    || self.fault(
                        "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
                        "The item declared by the {reader} schema does not take what the {writer} schema allowed there",
                    )
            }
        }
    }
}
