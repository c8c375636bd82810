//! Which properties may come and go?

use std::collections::BTreeSet;

use serde_json::Value;

use super::Compare;
use super::shape::{Shape, Site};

/// What an object may hold beyond its declared properties, and an array beyond its declared items.
#[derive(Clone, Copy)]
pub(super) enum Rest<'a> {
    Open,
    Closed,
    /// What obeys this schema.
    Schema(Site<'a>),
}

impl<'a> Rest<'a> {
    pub(super) fn of(site: Site<'a>, keyword: &str) -> Rest<'a> {
        match site.get(keyword) {
            None | Some(Value::Bool(true)) => Rest::Open,
            Some(Value::Bool(false)) => Rest::Closed,
            Some(schema) => Rest::Schema(site.at(schema)),
        }
    }

    /// `unevaluated…` counts where `additional…` says nothing.
    pub(super) fn or(self, site: Site<'a>, keyword: &str) -> Rest<'a> {
        match (self, site.child(keyword)) {
            (Rest::Open, Some(schema)) if !matches!(schema.followed().shape(), Shape::Any | Shape::Never) => {
                Rest::Schema(schema)
            }
            (Rest::Open, Some(schema)) if matches!(schema.followed().shape(), Shape::Never) => Rest::Closed,
            (rest, _) => rest,
        }
    }
}

impl Compare {
    pub(super) fn objects(&mut self, old: Site, new: Site) -> bool {
        let mut fits = self.required(old, new);
        fits &= self.properties(old, new);
        fits &= self.dependencies(old, new);
        let rules = ["ADDITIONAL_PROPERTIES_REMOVED", "ADDITIONAL_PROPERTIES_NARROWED"];
        fits &= self.rests(old, new, "additionalProperties", rules);
        let rules = ["UNEVALUATED_PROPERTIES_REMOVED", "UNEVALUATED_PROPERTIES_NARROWED"];
        fits &= self.rests(old, new, "unevaluatedProperties", rules);
        fits &= self.upper(old, new, "maxProperties", ["MAX_PROPERTIES_ADDED", "MAX_PROPERTIES_DECREASED"]);
        fits & self.lower(old, new, "minProperties", ["MIN_PROPERTIES_ADDED", "MIN_PROPERTIES_INCREASED"])
    }

    /// What is allowed beyond the declared may widen, not narrow.
    pub(super) fn rests(&mut self, old: Site, new: Site, keyword: &str, rules: [&'static str; 2]) -> bool {
        self.within(keyword, |this| match (Rest::of(old, keyword), Rest::of(new, keyword)) {
            (_, Rest::Open) | (Rest::Closed, _) => true,
            (_, Rest::Closed) => this.fault(
                rules[0],
                "The {reader} schema allows nothing beyond what it declares, the {writer} schema does",
            ),
            (Rest::Open, Rest::Schema(_)) => this.fault(
                rules[1],
                "The {reader} schema restricts what it does not declare, the {writer} schema does not",
            ),
            (Rest::Schema(old), Rest::Schema(new)) => this.schemas(old, new),
        })
    }

    fn required(&mut self, old: Site, new: Site) -> bool {
        let (before, now) = (required(old), required(new));
        let mut fits = true;
        // As Confluent's registry: only properties that both declare count. Those of new properties are told where
        // the property is.
        for name in now.iter().filter(|name| !before.contains(*name) && property(old, name).is_some()) {
            if property(new, name).is_some_and(|schema| schema.get("default").is_none()) {
                self.path.push(format!("required/{name}"));
                fits &= self.fault(
                    "REQUIRED_ATTRIBUTE_ADDED",
                    "The {reader} schema requires a property that the {writer} schema does not, without a default",
                );
                self.path.pop();
            }
        }
        fits
    }

    fn properties(&mut self, old: Site, new: Site) -> bool {
        let mut fits = true;
        for (name, schema) in old.object("properties") {
            let schema = old.at(schema);
            fits &= self.within(&format!("properties/{name}"), |this| match property(new, name) {
                Some(now) => this.schemas(schema, now),
                None => this.removed(schema, new, name),
            });
        }
        for (name, schema) in new.object("properties").filter(|(name, _)| property(old, name).is_none()) {
            let schema = new.at(schema);
            fits &= self.within(&format!("properties/{name}"), |this| this.added(old, schema, new, name));
        }
        for (pattern, schema) in new.object("patternProperties") {
            if let Some((_, before)) = old.object("patternProperties").find(|(known, _)| *known == pattern) {
                let (before, now) = (old.at(before), new.at(schema));
                fits &= self.within(&format!("patternProperties/{pattern}"), |this| this.schemas(before, now));
            }
        }
        fits
    }

    /// Values with this property must be taken by what the new schema allows beyond its declared ones.
    fn removed(&mut self, old: Site, new: Site, name: &str) -> bool {
        match content_model(new, name) {
            Rest::Open => true,
            Rest::Schema(rest) => {
                self.tries(old, rest)
                    || self.fault("PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "The {reader} schema no longer declares the property, and what it allows beyond the declared does not take it")
            }
            Rest::Closed => {
                old.value() == &Value::Bool(false)
                    || self.fault("PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", "The {reader} schema has a closed content model and no longer declares the property of the {writer} schema")
            }
        }
    }

    /// Values that had anything under this name must be taken by its new schema.
    fn added(&mut self, old: Site, schema: Site, new: Site, name: &str) -> bool {
        let is_required = required(new).contains(name);
        let has_default = schema.get("default").is_some();
        let is_any = matches!(schema.followed().shape(), Shape::Any);
        let mut fits = true;
        match content_model(old, name) {
            Rest::Open if is_any && !is_required => return true,
            Rest::Open if is_any => {}
            Rest::Open if is_required && has_default => {
                return self.fault("REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", "The {writer} schema has an open content model, in which the property added by the {reader} schema could hold anything");
            }
            Rest::Open if is_required => {
                return self.fault(
                    "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
                    "The {reader} schema adds a required property to the open content model of the {writer} schema",
                );
            }
            Rest::Open => {
                return self.fault("OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", "The {writer} schema has an open content model, in which the property added by the {reader} schema could hold anything");
            }
            Rest::Schema(rest) => {
                fits &= self.tries(rest, schema)
                    || self.fault("PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "The property added by the {reader} schema does not take what the {writer} schema allowed under its name");
            }
            Rest::Closed => {}
        }
        if is_required && !has_default {
            fits &= self.fault(
                "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
                "The {reader} schema adds a required property without a default",
            );
        }
        fits
    }

    fn dependencies(&mut self, old: Site, new: Site) -> bool {
        let mut fits = true;
        for keyword in ["dependencies", "dependentRequired", "dependentSchemas"] {
            for (name, now) in new.object(keyword) {
                let before = old.object(keyword).find(|(known, _)| *known == name).map(|(_, value)| value);
                fits &= self.within(&format!("{keyword}/{name}"), |this| match (before, now) {
                    (Some(Value::Array(before)), Value::Array(now)) => {
                        now.iter().all(|name| before.contains(name))
                            || this.fault("DEPENDENCY_ARRAY_EXTENDED", "The property depends on more properties in the {reader} schema than in the {writer} schema")
                    }
                    (None, Value::Array(_)) => this.fault("DEPENDENCY_ARRAY_ADDED", "The property depends on others in the {reader} schema only"),
                    (Some(before), now) if !before.is_array() => this.schemas(old.at(before), new.at(now)),
                    _ => this.fault("DEPENDENCY_SCHEMA_ADDED", "The property brings a further schema in the {reader} schema only"),
                });
            }
        }
        fits
    }
}

fn property<'a>(site: Site<'a>, name: &str) -> Option<Site<'a>> {
    Some(site.at(site.get("properties")?.get(name)?))
}

fn required(site: Site<'_>) -> BTreeSet<&str> {
    site.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What a schema allows under a name that it does not declare.
fn content_model<'a>(site: Site<'a>, name: &str) -> Rest<'a> {
    for (pattern, schema) in site.object("patternProperties") {
        if regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name)) {
            return Rest::Schema(site.at(schema));
        }
    }
    let has_patterns = site.object("patternProperties").next().is_some();
    match Rest::of(site, "additionalProperties").or(site, "unevaluatedProperties") {
        // With patterns a model is not open in Confluent's eyes, and without a schema it is closed.
        Rest::Open if has_patterns => Rest::Closed,
        rest => rest,
    }
}
